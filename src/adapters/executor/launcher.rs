//! Starts a command through this program, which prepares itself before it becomes the command.
//!
//! Between the fork and the start of another program a process can be changed only by code that is unsafe to write. So the
//! other program is this one, with one word as its first argument: it does what has to be done in the new process (see
//! [`super::launched`]), and then the command takes its place, with the same process id. A pipe in the place of standard
//! input tells whether that worked: it ends when the command begins, and else says which error the system gave.

use std::{
    ffi::OsStr,
    io::{self, Read, pipe},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::launched::{OPEN_FILES_AS_THEY_ARE, WORD};

/// How commands are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// This program. Another one only in tests, whose program does not know the word.
    pub program: PathBuf,
    /// The soft limit of open file descriptors of a command; none for that of this process.
    pub open_files: Option<u64>,
    /// The file mode mask of a command.
    pub umask: u32,
}

impl Default for Launcher {
    /// Through the running program, also when an upgrade has replaced its file.
    fn default() -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), open_files: None, umask: 0o022 }
    }
}

/// A program with all that it is started with.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: &'static [(&'static str, &'static str)],
    pub(super) directory: &'static str,
}

impl Launcher {
    /// Starts a program as the leader of a session and a process group of its own, with pipes for its outputs. Blocks until
    /// it runs, and returns the error of the system when it cannot.
    pub(super) fn start(&self, launch: &Launch) -> io::Result<Child> {
        let (mut reports, report_to) = pipe()?;
        let open_files = self.open_files.map_or_else(|| OPEN_FILES_AS_THEY_ARE.to_owned(), |limit| limit.to_string());
        let mut command = Command::new(&self.program);
        command.args([WORD, &open_files, &format!("{:o}", self.umask), &launch.program]).args(&launch.arguments);
        command.env_clear().envs(launch.environment.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
        command.current_dir(launch.directory);
        command.stdin(report_to).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            io::Error::other(format!("its launcher {} cannot be started: {error}", self.program.display()))
        })?;
        // Only the child can write now.
        drop(command);
        let mut report = Vec::new();
        let refused = match reports.read_to_end(&mut report) {
            Ok(0) => return Ok(child),
            Ok(_) => match <[u8; 4]>::try_from(report.as_slice()) {
                Ok(code) => io::Error::from_raw_os_error(i32::from_le_bytes(code)),
                Err(_) => io::Error::other("its launcher said something unexpected"),
            },
            Err(error) => error,
        };
        // It is no group of its own yet, or ends by itself.
        let _ = child.kill();
        child.wait()?;
        Err(refused)
    }
}
