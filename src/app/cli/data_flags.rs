//! The flags of the commands that work in the data directory.

use clap::Args;

use super::{Process, configuration_flags::ConfigurationFlags};
use crate::app::config::{ConfigError, Loaded, Overrides};

/// Which configuration, and which data directory over it.
#[derive(Debug, Args)]
pub(super) struct DataFlags {
    #[command(flatten)]
    configuration: ConfigurationFlags,
    /// Where the store, or the copy of a fleet's jobs, and the generated signing key live (`data_dir`)
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
}

impl DataFlags {
    /// The configuration, with these and other flags over it.
    pub(super) fn load(&self, process: &Process<'_>, overrides: Overrides) -> Result<Loaded, ConfigError> {
        self.configuration.load(process, overrides.with("data_dir", "--data-dir", self.data_dir.as_deref()))
    }

    /// The flags again, for a command that is to see the same.
    pub(super) fn to_words(&self) -> String {
        let file = self.configuration.file().map(|file| format!(" --config {}", quoted(&file.to_string_lossy())));
        let data = self.data_dir.as_deref().map(|directory| format!(" --data-dir {}", quoted(directory)));
        file.into_iter().chain(data).collect()
    }
}

/// As a POSIX shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+=:@".contains(&byte));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_reads_them() {
        for (word, expected) in [("/srv/a-b", "/srv/a-b"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(quoted(word), expected);
        }
    }
}
