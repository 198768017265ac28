//! The files of a store: whether they are still those that were opened, and how long its write-ahead log is.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::ports::driven::{QueueError, QueueErrorKind};

/// The log is cut to this when it begins anew, and again when nothing is written; it is longer only while a reader
/// needs what is in it.
pub(in crate::adapters::queue) const LOG_BYTES: u64 = 16 * 1024 * 1024;

/// The files of an open store. SQLite goes on with them when they are removed or replaced, and what it writes is gone
/// with the process.
#[derive(Debug, Clone)]
pub(in crate::adapters::queue) struct StoreFiles {
    file: PathBuf,
    log: PathBuf,
    /// Device and inode of the file.
    identity: (u64, u64),
    /// Inode of the log, once there is one; 0 before.
    log_inode: Arc<AtomicU64>,
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

impl StoreFiles {
    /// The files at this path.
    pub(in crate::adapters::queue) fn of(file: &Path) -> io::Result<Self> {
        let identity = identity(&fs::metadata(file)?);
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self { file: file.to_owned(), log: log.into(), identity, log_inode: Arc::default() })
    }

    /// The path of the store.
    pub(in crate::adapters::queue) fn path(&self) -> &Path {
        &self.file
    }

    /// Fails when the file at the path is not the one that was opened.
    pub(in crate::adapters::queue) fn check_file(&self) -> Result<(), QueueError> {
        match fs::metadata(&self.file) {
            Ok(found) if identity(&found) == self.identity => Ok(()),
            Ok(_) => Err(self.moved("was replaced")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.moved("was removed")),
            Err(error) => {
                let message = format!("the job store {} cannot be found", self.file.display());
                Err(QueueError::new(QueueErrorKind::Unavailable, message).with_source(error))
            }
        }
    }

    /// Fails when a file is not the one that was opened. Returns how long the log is.
    pub(in crate::adapters::queue) fn check(&self) -> Result<u64, QueueError> {
        self.check_file()?;
        let known = self.log_inode.load(Ordering::Relaxed);
        match fs::metadata(&self.log) {
            Ok(found) if known == 0 || found.ino() == known => {
                self.log_inode.store(found.ino(), Ordering::Relaxed);
                Ok(found.len())
            }
            Err(_) if known == 0 => Ok(0),
            _ => Err(self.moved("lost its write-ahead log")),
        }
    }

    fn moved(&self, what: &str) -> QueueError {
        let file = self.file.display();
        let message =
            format!("the job store {file} {what} while it was in use: restart the service to use what is there");
        QueueError::new(QueueErrorKind::Unavailable, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_removed_or_replaced_are_noticed() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, log) = (directory.path().join("osapi.db"), directory.path().join("osapi.db-wal"));
        fs::write(&file, "store").expect("writes");
        let files = StoreFiles::of(&file).expect("opens");
        assert_eq!(files.check().expect("it has no log yet"), 0);
        fs::write(&log, "log").expect("writes");
        assert_eq!(files.check().expect("it has a log"), 3);

        let said = |files: &StoreFiles| files.check().expect_err("it is noticed").to_string();
        fs::remove_file(&log).expect("removes");
        assert!(said(&files).contains("lost its write-ahead log"));
        fs::write(&log, "log").expect("writes");
        fs::rename(&log, directory.path().join("old")).expect("renames");
        fs::write(&log, "other").expect("writes");
        assert!(said(&files).contains("lost its write-ahead log"));

        let files = StoreFiles::of(&file).expect("opens");
        fs::rename(&file, directory.path().join("older")).expect("renames");
        assert!(said(&files).contains("osapi.db was removed"));
        fs::write(&file, "another store").expect("writes");
        assert!(said(&files).contains("osapi.db was replaced"));
    }
}
