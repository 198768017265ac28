//! New job ids.

use crate::domain::JobId;

/// Makes job ids.
#[cfg_attr(test, mockall::automock)]
pub trait JobIds: Send + Sync {
    /// A new id, larger than every earlier one of this process.
    fn next(&self) -> JobId;
}
