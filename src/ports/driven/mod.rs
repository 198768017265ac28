//! What the core needs: implemented by adapters, called by services.

pub mod authenticator;
pub mod clock;
pub mod http_metrics;
pub mod job_ids;
pub mod job_queue;
pub mod metrics_exposition;
pub mod metrics_port;
pub mod operation_executor;
pub mod queue_error;
pub mod worker_registry;

pub use authenticator::{AuthError, Authenticator};
pub use clock::{Clock, Uptime};
pub use http_metrics::{HttpEnd, HttpMethod, HttpMetrics, Limit, Route, RouteId};
pub use job_ids::JobIds;
pub use job_queue::{
    Cancelled, Claim, ClaimRequest, ClaimToken, Deleted, Durability, JobFilter, JobPage, JobQueue, Outcome,
    PageRequest, QueueInfo, Revocation, Submission, Submitted,
};
pub use metrics_exposition::{ExpositionError, FleetSnapshot, MetricsExposition, ScrapeEnd};
pub use metrics_port::{MetricsPort, QueueOperation, QueueOutcome, RejectionReason};
pub use operation_executor::{OperationExecutor, StopSignal};
pub use queue_error::{QueueError, QueueErrorKind};
pub use worker_registry::WorkerRegistry;

#[cfg(test)]
pub use {
    authenticator::MockAuthenticator, clock::MockClock, http_metrics::MockHttpMetrics, job_ids::MockJobIds,
    job_queue::MockJobQueue, metrics_exposition::MockMetricsExposition, metrics_port::MockMetricsPort,
    operation_executor::MockOperationExecutor, worker_registry::MockWorkerRegistry,
};
