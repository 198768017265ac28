//! What is said about a configuration that cannot be used.

use std::{fmt, io, path::PathBuf};

use super::Origin;

/// The configuration cannot be used: the operator must change it. Ends the program with exit code 64.
///
/// Names the key, the origin and what is allowed; the value only where it can be no secret: never that of an unknown
/// or secret key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may change the file.
    #[error("the configuration file {} is not trusted: {problem}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// The file is not YAML, or uses more of YAML than a configuration needs.
    #[error("{origin}: {problem}")]
    Syntax {
        /// File and line.
        origin: Origin,
        /// What is wrong there.
        problem: String,
    },
    /// The file has a key that does not exist.
    #[error("unknown key `{key}` ({origin}): {expected}")]
    UnknownKey {
        /// The key as it was written, with the sections around it.
        key: String,
        /// Where.
        origin: Origin,
        /// The keys that exist there.
        expected: String,
    },
    /// The environment has a variable with the program's prefix that stands for no key.
    #[error("unknown environment variable `{name}`: {expected}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The variables that exist near it.
        expected: String,
    },
    /// The layers could not be put together. Cannot happen with layers that were checked.
    #[error("cannot merge the configuration: {0}")]
    Merge(Box<config::ConfigError>),
    /// The settings could not be shown. Cannot happen with settings that were loaded.
    #[error("cannot show the configuration: {0}")]
    Show(String),
    /// A key has a value that it cannot have.
    #[error("invalid value{} for `{key}`{}: {expected}", Shown(value.as_deref()), At(origin.as_ref()))]
    Invalid {
        /// The key.
        key: String,
        /// The value, where it may be shown.
        value: Option<String>,
        /// Where it was written, where that is known.
        origin: Option<Origin>,
        /// What is allowed.
        expected: String,
    },
    /// Several of these, one a line.
    #[error("{}", Lines(.0))]
    Several(Vec<ConfigError>),
}

impl ConfigError {
    /// All of these as one.
    pub(super) fn all(mut mistakes: Vec<Self>) -> Self {
        if mistakes.len() == 1 { mistakes.remove(0) } else { Self::Several(mistakes) }
    }

    /// Each mistake by itself.
    #[must_use]
    pub fn each(&self) -> &[Self] {
        if let Self::Several(mistakes) = self { mistakes } else { std::slice::from_ref(self) }
    }
}

struct Lines<'a>(&'a [ConfigError]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if place == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Shows a value in a message, without letting its control characters through.
struct Shown<'a>(Option<&'a str>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |value| write!(f, " `{}`", value.escape_debug()))
    }
}

struct At<'a>(Option<&'a Origin>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}
