//! Which workers are there.

use async_trait::async_trait;

use super::QueueError;
use crate::domain::{Hostname, InstanceId, Worker};

/// The registry of connected workers.
///
/// A worker leaves the list when it says so, or [`crate::domain::worker::HEARTBEAT_EXPIRY`] after its last heartbeat.
/// Whether a hostname drains is the operator's decision: it outlives the worker's process.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait WorkerRegistry: Send + Sync {
    /// Enters a worker, or refreshes it: also its heartbeat. The registry stamps the time and keeps its own `state`.
    ///
    /// Fails with [`super::QueueErrorKind::HostnameTaken`] while another live instance holds the hostname.
    async fn heartbeat(&self, worker: Worker) -> Result<(), QueueError>;

    /// Removes a worker that stops, unless another instance took its place.
    async fn leave(&self, hostname: &Hostname, instance: InstanceId) -> Result<(), QueueError>;

    /// The connected workers, ordered by hostname. What they run may lag behind the queue by as much as [`super::JobQueue::check`]
    /// makes good.
    async fn connected(&self) -> Result<Vec<Worker>, QueueError>;

    /// Starts or ends the draining of a connected worker and returns it; none when no such worker is connected.
    async fn set_draining(&self, hostname: &Hostname, draining: bool) -> Result<Option<Worker>, QueueError>;
}
