//! Time: the time of day, which is recorded and shown, and the time since the host started, by which things are decided.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

/// A moment on a clock that no one can set: it runs from the start of the host, also while the host is suspended.
///
/// Moments of the same boot can be compared, also between processes. Those of different boots cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime {
    /// Which start of the host.
    pub boot: Uuid,
    /// Time since then, in whole microseconds.
    pub elapsed: Duration,
}

/// Tells the time.
#[cfg_attr(test, mockall::automock)]
pub trait Clock: Send + Sync {
    /// The time of day, in whole microseconds: what is stored reads back equal. It can be set at any moment, so nothing
    /// is decided by it that an uptime can decide.
    fn now(&self) -> Timestamp;

    /// The time since the host started.
    fn uptime(&self) -> Uptime;
}
