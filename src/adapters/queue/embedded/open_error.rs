//! Why a store cannot be opened, in one line that names the file and says what to do.

use std::{io, path::PathBuf};

/// A store cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made or written.
    #[error("cannot use {}: {source}", .path.display())]
    Files {
        /// What cannot be used.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the store open.
    #[error("the data directory {} is in use by another server", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("the job store {} is corrupt ({detail}): restore it from a backup, or move it away to start empty", .file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A later version of this program wrote the file.
    #[error("the job store {} has version {found}, this program knows versions up to {known}", .file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// The version of the file.
        found: i32,
        /// The latest version that this program knows.
        known: i32,
    },
    /// The file cannot be read or written.
    #[error("cannot open the job store {}: {source}", .file.display())]
    Store {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}
