//! `job.worker.commands`: which programs jobs may run on this host.

use std::path::Path;

use rustix::fs::{Access, access};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Commands of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CommandsSettings {
    /// Absolute paths of the programs that `command.exec` may run; with none it is off.
    #[serde(deserialize_with = "programs")]
    pub allow: Vec<String>,
}

fn programs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let paths = Vec::<String>::deserialize(deserializer)?;
    for path in &paths {
        if let Err(problem) = check(path) {
            let path = path.escape_debug();
            let words = format!("expected absolute paths of executable files, but `{path}` {problem}");
            return Err(D::Error::custom(words));
        }
    }
    Ok(paths)
}

/// Whether this process could run the program, by a path that has no second spelling. Links are followed: what they
/// lead to counts, now and at each start.
fn check(path: &str) -> Result<(), String> {
    let rest = path.strip_prefix('/').ok_or("does not begin with a slash")?;
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) || path.contains('\0') {
        return Err("is not normalized: no part may be empty, `.` or `..`".to_owned());
    }
    let found = Path::new(path).metadata().map_err(|error| format!("cannot be used: {error}"))?;
    if !found.is_file() {
        return Err("is not a file".to_owned());
    }
    access(path, Access::EXEC_OK).map_err(|_| "is not executable for this user".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn programs_and_links_to_them_are_accepted() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("a link");
        symlink("/bin/sh", &link).expect("linked");
        for path in ["/bin/sh", "/usr/bin/env", link.to_str().expect("UTF-8")] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn what_could_not_run_or_has_two_spellings_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
        let plain = path("plain");
        fs::write(&plain, "#!/bin/sh\n").expect("written");
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).expect("set");
        symlink("/nowhere", path("broken")).expect("linked");
        for (path, expected) in [
            ("", "does not begin with a slash"),
            ("sh", "does not begin with a slash"),
            ("./sh", "does not begin with a slash"),
            ("~/sh", "does not begin with a slash"),
            ("/", "is not normalized"),
            ("/bin/", "is not normalized"),
            ("//bin/sh", "is not normalized"),
            ("/bin//sh", "is not normalized"),
            ("/bin/./sh", "is not normalized"),
            ("/bin/../bin/sh", "is not normalized"),
            ("/bin/sh\0", "is not normalized"),
            ("/nowhere/at/all", "cannot be used: No such file"),
            ("/bin/sh/x", "cannot be used: Not a directory"),
            (&path("broken"), "cannot be used: No such file"),
            ("/usr", "is not a file"),
            ("/dev/null", "is not a file"),
            (&plain, "is not executable"),
        ] {
            let error = check(path).expect_err(path);
            assert!(error.contains(expected), "{path:?} gave: {error}");
        }
    }
}
