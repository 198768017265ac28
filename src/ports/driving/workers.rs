//! Workers, as operators see them.

use async_trait::async_trait;

use crate::domain::{Hostname, Worker};

/// A request about workers that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkersError {
    /// No such worker is connected.
    #[error("no such worker is connected")]
    NotFound,
    /// The registry cannot be reached.
    #[error("the worker registry is unavailable")]
    Unavailable,
    /// No space left to store the change.
    #[error("the storage is full")]
    StorageFull,
}

/// Workers, as operators see them.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Workers: Send + Sync {
    /// The connected workers, ordered by hostname.
    async fn list(&self) -> Result<Vec<Worker>, WorkersError>;

    /// Stops or resumes the claiming of new work; what runs goes on.
    async fn set_draining(&self, hostname: Hostname, draining: bool) -> Result<Worker, WorkersError>;
}
