//! A child process that leads a group of its own, and whatever it leaves in that group.
//!
//! The number of a process and of its group is free for others once it is collected and its group is empty. So the
//! leader is watched without collecting it, signals are sent only before it is collected, and none can hit a stranger.
//! What the child is called with and what becomes of its output does not belong here.

use std::{fmt, io, process::Child, time::Duration};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, test_kill_process_group, waitid, waitpgid,
    },
};
use tokio::{
    runtime::Handle,
    signal::unix::{Signal as Signals, SignalKind, signal},
    time::sleep,
};

/// Waits between two looks at a group that is dying, growing from the first to the second.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, with this code.
    Exited(i32),
    /// By the signal with this number.
    Signalled(i32),
}

impl Ending {
    pub(super) const fn exit_code(self) -> Option<i32> {
        if let Self::Exited(code) = self { Some(code) } else { None }
    }

    pub(super) const fn signal(self) -> Option<i32> {
        if let Self::Signalled(signal) = self { Some(signal) } else { None }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// A process group with a child of ours as its leader. Killed when it is dropped.
pub(super) struct ProcessGroup {
    leader: Pid,
    /// Told whenever any child of this process changes its state.
    children: Signals,
    /// Whether the leader is no child of ours any more.
    collected: bool,
}

impl ProcessGroup {
    /// Starts a child that leads a new group, on a thread that may block.
    pub(super) async fn start(start: impl FnOnce() -> io::Result<Child> + Send + 'static) -> io::Result<(Self, Child)> {
        // From before the start, so that no end is missed.
        let children = signal(SignalKind::child())?;
        let started = tokio::task::spawn_blocking(move || {
            let child = start()?;
            Ok((Self { leader: Pid::from_child(&child), children, collected: false }, child))
        });
        started.await.unwrap_or_else(|_| Err(io::Error::other("the process is stopping")))
    }

    /// Waits for the leader's end; none when it was collected behind our back.
    pub(super) async fn ended(&mut self) -> Option<Ending> {
        let ending = ended(self.leader, &mut self.children).await;
        self.collected |= ending.is_none();
        ending
    }

    /// Asks everybody in the group to end, also those who are stopped.
    pub(super) fn terminate(&self) {
        self.send(Signal::TERM);
        self.send(Signal::CONT);
    }

    /// Kills everybody in the group at once: nobody can fork away from it (the kernel sends to all of a group, or fails
    /// the fork).
    pub(super) fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        if self.collected {
            return;
        }
        if let Err(error) = kill_process_group(self.leader, signal) {
            tracing::warn!(group = self.leader.as_raw_nonzero().get(), %error, "cannot signal a command");
        }
    }

    /// Collects the leader, which must have ended, and waits until nobody is left in the group.
    pub(super) async fn gone(&mut self) {
        self.collected = true;
        gone(self.leader).await;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if self.collected {
            return;
        }
        self.kill();
        let leader = self.leader;
        // Somebody must collect the leader. Without a runtime the process ends, and collects nothing any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(mut children) = signal(SignalKind::child()) {
                    ended(leader, &mut children).await;
                    gone(leader).await;
                }
            });
        }
    }
}

/// Waits for a child's end without collecting it.
async fn ended(leader: Pid, children: &mut Signals) -> Option<Ending> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(leader), look) {
            Ok(Some(status)) => {
                let exited = status.exit_status().map(Ending::Exited);
                return exited.or_else(|| status.terminating_signal().map(Ending::Signalled));
            }
            Ok(None) => children.recv().await,
            Err(_) => return None,
        };
    }
}

/// Collects a leader that ended and waits until its group is empty.
async fn gone(leader: Pid) {
    let mut again = LOOK_AGAIN.0;
    while test_kill_process_group(leader) != Err(Errno::SRCH) {
        // The leader is a child of this process; the others are collected by the first process of the system or container.
        if !matches!(waitpgid(leader, WaitOptions::NOHANG), Ok(Some(_))) {
            sleep(again).await;
            again = (again * 2).min(LOOK_AGAIN.1);
        }
    }
}
