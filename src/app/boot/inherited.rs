//! What the process was started with and changes for itself, so that its commands can have it as it was.

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit, setrlimit, umask},
};

/// Files are made for their owner alone.
const PRIVATE: Mode = Mode::from_raw_mode(0o077);

/// What the process was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inherited {
    /// The soft limit of open file descriptors; none where there is no limit.
    pub open_files: Option<u64>,
    /// The soft limit that the process has now.
    pub raised_to: Option<u64>,
    /// The file mode mask.
    pub umask: u32,
}

impl Inherited {
    /// Raises the soft limit of open file descriptors to the hard one, and makes files private, whatever the mask was.
    pub(super) fn replace() -> Self {
        let limit = getrlimit(Resource::Nofile);
        // A hard limit above what the kernel takes today (`fs.nr_open`) leaves the soft one where it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        Self {
            open_files: limit.current,
            raised_to: getrlimit(Resource::Nofile).current,
            umask: umask(PRIVATE).as_raw_mode(),
        }
    }
}
