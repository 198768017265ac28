//! Finding and reading the configuration file, and who else may change it.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

use super::{
    ConfigError, Origin,
    yaml::{self, Entry},
};

/// A file that was found and read.
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
    /// What is odd about it, and no reason to refuse it.
    pub(super) warning: Option<String>,
}

/// A file that is named must exist; of the others the first that exists counts, also when it cannot be read.
pub(super) fn find(named: Option<PathBuf>, candidates: &[PathBuf]) -> Result<Option<ConfigFile>, ConfigError> {
    if let Some(path) = named {
        return read(path, false).map(Some);
    }
    for path in candidates {
        // The one in the working directory is found and not chosen: another user may have put it there.
        match read(path.clone(), path.is_relative()) {
            Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            found => return found.map(Some),
        }
    }
    Ok(None)
}

fn read(path: PathBuf, stray: bool) -> Result<ConfigFile, ConfigError> {
    let read = |path: &Path| {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok((bytes, file.metadata()?))
    };
    match read(&path) {
        Err(source) => Err(ConfigError::Unreadable { path, source }),
        Ok((bytes, metadata)) => match trust(&metadata, stray, geteuid().as_raw()) {
            Err(problem) => Err(ConfigError::Untrusted { path, problem }),
            Ok(warning) => Ok(ConfigFile { entries: parse(&path, &bytes)?, path, warning }),
        },
    }
}

/// Whether the file says what this user or root wants: who can change it can choose what jobs may run. A warning where
/// that was chosen on purpose, perhaps.
fn trust(file: &Metadata, stray: bool, user: u32) -> Result<Option<String>, String> {
    let (mode, owner) = (file.mode() & 0o7777, file.uid());
    let foreign = owner != user && owner != 0;
    // A pipe, as `--config <(command)` makes it, is as it is.
    if file.is_file() && mode & 0o002 != 0 {
        return Err(format!("every user may write it (mode {mode:04o}): chmod o-w"));
    }
    if foreign && stray {
        return Err(format!(
            "it belongs to the user {owner}, and was found in the working directory: name it with --config where that is \
             meant, or start elsewhere"
        ));
    }
    if foreign {
        return Ok(Some(format!("belongs to the user {owner}, who can change it")));
    }
    // A group with the number of the owner is usually the owner's own.
    let open_to_group = file.is_file() && mode & 0o020 != 0 && file.gid() != owner;
    Ok(open_to_group.then(|| format!("can be changed by the group {} (mode {mode:04o}): chmod g-w", file.gid())))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, ConfigError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        ConfigError::Syntax { origin: Origin::file(path, line), problem: "expected UTF-8".to_owned() }
    })?;
    yaml::read(path, text)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{Permissions, set_permissions, write},
        os::unix::fs::PermissionsExt,
    };

    use super::*;

    #[test]
    fn a_file_that_every_user_may_write_is_refused_and_one_of_a_group_is_odd() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("osapi.yaml");
        write(&path, "log: {level: info}").expect("written");
        let read_with = |mode| {
            set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            read(path.clone(), true).map_err(|error| error.to_string())
        };
        for mode in [0o666, 0o646, 0o602] {
            let refused = read_with(mode).err().expect("everyone may write it");
            assert!(refused.contains("osapi.yaml") && refused.contains("chmod o-w"), "{refused}");
        }
        for mode in [0o600, 0o644, 0o400] {
            assert!(read_with(mode).expect("trusted").warning.is_none(), "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_another_user_is_refused_where_it_was_not_named_and_odd_where_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("osapi.yaml");
        write(&path, "").expect("written");
        let metadata = path.metadata().expect("there");
        let owner = metadata.uid();
        assert_eq!(trust(&metadata, true, owner), Ok(None));
        if owner != 0 {
            let refused = trust(&metadata, true, owner + 1).expect_err("of another user");
            assert!(refused.contains("--config") && refused.contains(&owner.to_string()), "{refused}");
            assert!(trust(&metadata, false, owner + 1).expect("named").is_some());
        }
    }
}
