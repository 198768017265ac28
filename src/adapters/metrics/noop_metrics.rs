//! Metrics that are off: every call returns at once. HTTP metrics have no such adapter, because their middleware is not
//! even installed then.

use std::time::Duration;

use crate::{
    domain::{ExecutionStatus, Hostname, JobStatus, OperationKind},
    ports::driven::{MetricsPort, QueueOperation, QueueOutcome, RejectionReason},
};

/// Records nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoopMetrics;

impl MetricsPort for NoopMetrics {
    fn job_created(&self, _operation: OperationKind) {}

    fn job_completed(&self, _operation: OperationKind, _status: JobStatus, _end_to_end: Duration) {}

    fn job_rejected(&self, _reason: RejectionReason) {}

    fn execution_claimed(&self, _operation: OperationKind, _waited: Duration) {}

    fn execution_started(&self, _operation: OperationKind) {}

    fn execution_stopped(&self, _operation: OperationKind) {}

    fn execution_finished(&self, _operation: OperationKind, _status: ExecutionStatus, _ran: Duration) {}

    fn execution_redelivered(&self, _operation: OperationKind) {}

    fn stale_result(&self) {}

    fn worker_joined(&self, _hostname: &Hostname) {}

    fn worker_left(&self) {}

    fn queue_reconnected(&self) {}
    fn queue_copy_lag(&self, _: u64) {}
    fn task_panicked(&self) {}

    fn queue_called(&self, _operation: QueueOperation, _outcome: QueueOutcome, _took: Duration) {}
}
