//! The files of a host, below a root: read with a cap, and with errors that name the file.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// More than any file that is read here can have.
const CAP: u64 = 1 << 20;

/// The files below a root.
#[derive(Debug, Clone)]
pub(super) struct HostFiles {
    root: PathBuf,
}

impl HostFiles {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a path of the host is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Whether the root is the one of this process.
    pub(super) fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The text of a file.
    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
        let mut text = Vec::new();
        File::open(self.path(path)).map_err(failed)?.take(CAP + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > CAP {
            return Err(format!("{path} is larger than {CAP} bytes"));
        }
        String::from_utf8(text).map_err(|_| format!("{path} is not UTF-8"))
    }
}
