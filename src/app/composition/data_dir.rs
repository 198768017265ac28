//! The data directory: made when it is not there, refused when it cannot be used or when others could change what is in it.

use std::{
    fs::{self, DirBuilder, DirEntry, Metadata, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access},
    io::Errno,
    process::geteuid,
};

/// For the owner alone.
const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// What everyone else may do.
const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
const ANYONE_ELSE: u32 = 0o077;
/// How the names of files end that a service keeps there.
const KEPT: [&str; 4] = [".db", ".db-wal", ".db-shm", ".lock"];

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `data_dir` {}: {problem}", .path.display())]
pub struct DataDirError {
    path: PathBuf,
    problem: String,
}

/// Makes the directory when it is not there, and sees to it that what is in it is private.
pub(super) fn prepare(path: &Path) -> Result<(), DataDirError> {
    let refused = |problem: String| DataDirError { path: path.to_owned(), problem };
    make(path).map_err(|error| refused(in_words(&error)))?;
    let found = fs::metadata(path).map_err(|error| refused(in_words(&error)))?;
    check(&found, geteuid().as_raw()).map_err(refused)?;
    access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| refused(in_words(&error.into())))?;
    if found.mode() & ANYONE_ELSE != 0 {
        tracing::warn!(
            data_dir = %path.display(),
            mode = format!("{:04o}", found.mode() & 0o7777),
            writable = found.mode() & GROUP_WRITES != 0,
            "`data_dir` is open to others: chmod 700 makes it private"
        );
    }
    make_files_private(path).map_err(|error| refused(in_words(&error)))
}

fn make(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(parent)?;
    }
    match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path) {
        // The mask may have taken away more than it should.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(PRIVATE_DIRECTORY)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether only this user, root and a chosen group can put another key or other jobs there.
fn check(found: &Metadata, user: u32) -> Result<(), String> {
    if !found.is_dir() {
        return Err(
            "it is not a directory: move it away, or name another directory (`--data-dir`, OSAPI_DATA_DIR)".to_owned()
        );
    }
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(format!(
            "every user may write there (mode {:04o}), and with it replace the signing key and the jobs: chmod 700, or name \
             a directory inside of it",
            found.mode() & 0o7777
        ));
    }
    if found.uid() != user && found.uid() != 0 {
        return Err(format!(
            "it belongs to the user {}, who could replace the signing key and the jobs: start as that user, or chown it \
             to the user {user}",
            found.uid()
        ));
    }
    Ok(())
}

/// A store that was copied here may be open to others.
fn make_files_private(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry: DirEntry = entry?;
        let name = entry.file_name();
        let is_kept = KEPT.iter().any(|ending| name.as_encoded_bytes().ends_with(ending.as_bytes()));
        let Ok(metadata) = entry.metadata() else { continue };
        if is_kept && metadata.is_file() && metadata.mode() & ANYONE_ELSE != 0 && metadata.uid() == geteuid().as_raw() {
            fs::set_permissions(entry.path(), Permissions::from_mode(PRIVATE_FILE))?;
            tracing::info!(file = %entry.path().display(), "made a file private that was open to others");
        }
    }
    Ok(())
}

/// What the system says, and what to do about it.
fn in_words(error: &io::Error) -> String {
    let cure = match error.kind() {
        ErrorKind::ReadOnlyFilesystem => "name a directory on a file system that can be written",
        ErrorKind::PermissionDenied => "name a directory that this user may write, or chown it to this user",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "a part of its path is a file; name another directory",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or name a directory elsewhere",
        _ => "name another directory",
    };
    let known = error.raw_os_error().map(Errno::from_raw_os_error);
    let what = match known {
        Some(Errno::ROFS) => "its file system is read-only".to_owned(),
        _ => error.to_string(),
    };
    format!("{what}; {cure} (`--data-dir`, OSAPI_DATA_DIR)")
}
