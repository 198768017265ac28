//! The time of day.

use jiff::Timestamp;

/// Tells the time. The only source of time that is recorded; waiting is done by the runtime.
#[cfg_attr(test, mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds: what is stored reads back equal.
    fn now(&self) -> Timestamp;
}
