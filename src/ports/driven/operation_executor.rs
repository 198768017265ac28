//! Running operations on this host.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::{Failure, Operation, Output};

/// Tells a running operation to stop early: `true` once it must.
pub type StopSignal = watch::Receiver<bool>;

/// Runs operations on this host.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait OperationExecutor: Send + Sync {
    /// Whether this host's configuration allows any command.
    fn commands_enabled(&self) -> bool;

    /// Runs the operation to its end.
    ///
    /// When `stop` turns `true` an operation that has something to end (a child process) ends it within 3 s and returns
    /// what it has as [`Failure::partial`]; one that has nothing may ignore it: its future is dropped then. Blocking
    /// work runs on threads of its own.
    async fn execute(&self, operation: Operation, stop: StopSignal) -> Result<Output, Failure>;
}
