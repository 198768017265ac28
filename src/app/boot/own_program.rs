//! The program that runs now, to be started once more with the same arguments.

use std::{env, ffi::OsStr, os::unix::process::CommandExt, path::Path, process::Command};

/// Leads to the file of the running program, also when an upgrade has removed or replaced it.
pub(super) const PROGRAM: &str = "/proc/self/exe";

/// The command that starts this program again as it was started.
pub(super) fn again() -> Command {
    let mut arguments = env::args_os();
    let mut command = Command::new(PROGRAM);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments);
    command
}

/// The name under which the program was started, without folders: what ps(1) shows.
pub(super) fn name() -> Option<Vec<u8>> {
    let started_as = env::args_os().next()?;
    let name: &OsStr = Path::new(&started_as).file_name()?;
    Some(name.as_encoded_bytes().to_vec())
}
