//! The other side of [`super::launcher`]: the process that becomes a command.
//!
//! It leaves the session of the worker, so that no terminal is its own (setsid(2)); gives the command the limit and the
//! mask that the service was started with; keeps no file open beside the outputs; and has nothing to read.

use std::{
    convert::Infallible,
    ffi::{CString, OsString},
    fs::File,
    io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStringExt,
    },
};

use nix::unistd::{close, execv};
use rustix::{
    fs::{Dir, Mode, OFlags, open},
    io::{Errno, fcntl_dupfd_cloexec, write},
    process::{Resource, Rlimit, getrlimit, setrlimit, setsid, umask},
    stdio::{dup2_stdin, stdin},
};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

/// The argument that makes this program a launcher.
pub(super) const WORD: &str = "__command";
/// In the place of a limit.
pub(super) const OPEN_FILES_AS_THEY_ARE: &str = "-";
/// The first descriptor that is no standard stream.
const FIRST: RawFd = 3;
/// What shells say when a program cannot be run.
const CANNOT_RUN: u8 = 126;

/// Becomes the command that the arguments of this program name, where they are those of a launcher; none where they are
/// not. Returns an exit code when it cannot, after it has reported why.
pub fn launched(arguments: impl IntoIterator<Item = OsString>) -> Option<u8> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != WORD {
        return None;
    }
    // What happens from here on is reported, unless there is nothing to report to.
    let Ok(report_to) = fcntl_dupfd_cloexec(stdin(), FIRST) else { return Some(CANNOT_RUN) };
    let Err(error) = become_command(arguments.collect(), &report_to);
    let code = error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error());
    let _ = write(&report_to, &code.to_le_bytes());
    Some(CANNOT_RUN)
}

fn become_command(arguments: Vec<OsString>, report_to: &OwnedFd) -> io::Result<Infallible> {
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().ok_or(io::Error::from(Errno::INVAL));
    let (open_files, mask) = (next()?, next()?);
    let argv = arguments.map(|argument| CString::new(argument.into_vec()).map_err(|_| Errno::INVAL));
    let argv = argv.collect::<Result<Vec<CString>, Errno>>()?;
    let program = argv.first().ok_or(Errno::INVAL)?;

    setsid()?;
    dup2_stdin(File::open("/dev/null")?)?;
    if open_files != OPEN_FILES_AS_THEY_ARE {
        let limit: u64 = open_files.to_str().and_then(|limit| limit.parse().ok()).ok_or(Errno::INVAL)?;
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum })?;
    }
    let mask = mask.to_str().and_then(|mask| u32::from_str_radix(mask, 8).ok()).ok_or(Errno::INVAL)?;
    umask(Mode::from_bits_truncate(mask));
    // Signals that a program handles have their default action in the next one (execve(2)), those that it ignores are
    // ignored: a Rust program ignores SIGPIPE, and a command must not.
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let _handled = {
        let _entered = runtime.enter();
        signal(SignalKind::pipe())?
    };
    close_inherited(report_to.as_raw_fd())?;
    // Not by `std::process::Command`: its search for programs runs what has no interpreter as a shell script.
    Ok(execv(program, &argv)?)
}

/// Closes what the service was started with and did not open itself; all that it opens closes itself at `execv`.
fn close_inherited(kept: RawFd) -> io::Result<()> {
    let listing = open("/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let own = [kept, listing.as_raw_fd()];
    let mut found = Vec::new();
    for entry in Dir::read_from(&listing)? {
        let name = entry?.file_name().to_str().ok().and_then(|name| name.parse::<RawFd>().ok());
        found.extend(name.filter(|descriptor| *descriptor >= FIRST && !own.contains(descriptor)));
    }
    for descriptor in found {
        // One that closes itself may be in use by the runtime, and needs nothing.
        if !closes_itself(descriptor) {
            close(descriptor)?;
        }
    }
    Ok(())
}

/// Whether a descriptor closes itself when another program takes the place of this one; the kernel shows its flags in
/// octal.
fn closes_itself(descriptor: RawFd) -> bool {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    // A descriptor that is gone closed itself already.
    flags.is_none_or(|flags| flags & OFlags::CLOEXEC.bits() != 0)
}
