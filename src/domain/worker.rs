//! Workers: the processes that run executions, and what the fleet knows of them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Hostname, Labels};

/// Time between two heartbeats of a worker.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// A worker is connected while its last heartbeat is not older than this: three intervals.
pub const HEARTBEAT_EXPIRY: Duration = Duration::from_secs(15);

/// A clock that is further away from this process's clock than this is reported: times in job documents and logs of that
/// host are misleading, and its tokens may be refused.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// One life of a worker process. A hostname is an address; this is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InstanceId(pub Uuid);

/// Whether a worker takes new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerState {
    /// It claims executions.
    Ready,
    /// It finishes what it runs and claims nothing.
    Draining,
}

impl WorkerState {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// A worker as the registry knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Its address.
    pub hostname: Hostname,
    /// Its identity in this life.
    pub instance: InstanceId,
    /// What label targets match.
    pub labels: Labels,
    /// Whether it takes new work.
    pub state: WorkerState,
    /// How many executions it runs at once.
    pub slots: u32,
    /// How many it runs now.
    pub slots_used: u32,
    /// Its version of the program.
    pub version: String,
    /// Whether its configuration allows any command.
    pub commands_enabled: bool,
    /// When this life began.
    pub started_at: Timestamp,
    /// Its last sign of life.
    pub last_heartbeat_at: Timestamp,
    /// How far the clock of its host is ahead of this process's clock; negative when it is behind.
    pub clock_offset: SignedDuration,
}

/// Whether a worker that has been silent for so long is still connected.
#[must_use]
pub fn is_connected(silence: Duration) -> bool {
    silence <= HEARTBEAT_EXPIRY
}
