//! The first process of a container or of another process namespace. It must collect every process that has lost its
//! parent, which a process with children of its own cannot do without taking their results from those who wait for them.
//! So it has one child, the program itself, and does nothing else but to collect, to pass signals on, and to end with it.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::ExitStatus,
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{own_program::again, secrets::leave_stdin};

/// What a supervisor or a person sends to the first process and means for the program.
const PASSED_ON: [Signal; 6] = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP, Signal::USR1, Signal::USR2];

/// Starts the program as a child, and returns the exit code with which it ended.
pub(super) fn supervise() -> io::Result<i32> {
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(run())
}

async fn run() -> io::Result<i32> {
    let mut children = signal(SignalKind::child())?;
    let (heard, mut signals) = mpsc::unbounded_channel();
    for passed_on in PASSED_ON {
        let (mut stream, heard) = (signal(SignalKind::from_raw(passed_on.as_raw()))?, heard.clone());
        tokio::spawn(async move { while stream.recv().await.is_some() && heard.send(passed_on).is_ok() {} });
    }
    // In a group of its own: what a terminal sends to its foreground group is passed on, and not also sent.
    let program = Pid::from_child(&again().process_group(0).spawn()?);
    // The secrets that may wait there are the program's.
    leave_stdin()?;
    loop {
        tokio::select! {
            _ = children.recv() => {
                if let Some(code) = collect(program) {
                    return Ok(code);
                }
            }
            // It is there until it is collected.
            Some(passed_on) = signals.recv() => drop(kill_process(program, passed_on)),
        }
    }
}

/// Collects all that have ended; the exit code of the program where it is among them.
fn collect(program: Pid) -> Option<i32> {
    let mut code = None;
    while let Ok(Some((ended, status))) = wait(WaitOptions::NOHANG) {
        if ended == program {
            let status = ExitStatus::from_raw(status.as_raw());
            // As shells say it.
            code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        }
    }
    code
}
