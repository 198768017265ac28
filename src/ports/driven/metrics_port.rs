//! What the job and worker services report to the metrics.

use std::time::Duration;

use crate::domain::{ExecutionStatus, Hostname, JobStatus, OperationKind};

/// Why a request for a job was refused at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionReason {
    /// Something in the request is wrong.
    Invalid,
    /// The target matches no worker that could run it.
    Target,
    /// The caller's scope is too small for the operation.
    Scope,
    /// The idempotency key was used for another request.
    KeyReused,
    /// The queue is full or busy.
    QueueFull,
    /// The queue failed.
    QueueFailed,
}

impl RejectionReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Invalid, Self::Target, Self::Scope, Self::KeyReused, Self::QueueFull, Self::QueueFailed];

    /// The metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Target => "target",
            Self::Scope => "scope",
            Self::KeyReused => "key_reused",
            Self::QueueFull => "queue_full",
            Self::QueueFailed => "queue_failed",
        }
    }
}

/// A call to the queue that answers when it is done; those that wait for something to happen are not timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueOperation {
    /// Whether it works.
    Check,
    /// Storing a job.
    Submit,
    /// Finding what an idempotency key made.
    Replay,
    /// Reading a job.
    Job,
    /// Reading a page of jobs.
    Jobs,
    /// Reading the figures.
    Stats,
    /// Cancelling a job.
    Cancel,
    /// Deleting a job.
    Delete,
    /// Extending a lease.
    Renew,
    /// Recording the end of a run.
    Finish,
}

impl QueueOperation {
    /// Every operation.
    pub const ALL: [Self; 10] = [
        Self::Check,
        Self::Submit,
        Self::Replay,
        Self::Job,
        Self::Jobs,
        Self::Stats,
        Self::Cancel,
        Self::Delete,
        Self::Renew,
        Self::Finish,
    ];

    /// The metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Submit => "submit",
            Self::Replay => "replay",
            Self::Job => "job",
            Self::Jobs => "jobs",
            Self::Stats => "stats",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::Renew => "renew",
            Self::Finish => "finish",
        }
    }
}

/// How a call to the queue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueOutcome {
    /// It was answered, with whatever answer.
    Answered,
    /// It was refused because the queue is full or busy.
    Refused,
    /// It failed.
    Failed,
    /// Its caller stopped waiting.
    Abandoned,
}

impl QueueOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Answered, Self::Refused, Self::Failed, Self::Abandoned];

    /// The metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The counters, gauges and histograms of jobs and workers.
///
/// Synchronous, typed and infallible: a call takes nanoseconds, allocates nothing and never fails a job. Callers
/// report a change after it is durable, once. The names under which things are exported belong to the adapter.
#[cfg_attr(test, mockall::automock)]
pub trait MetricsPort: Send + Sync {
    /// A job was accepted.
    fn job_created(&self, operation: OperationKind);

    /// A job became terminal, `end_to_end` after its acceptance.
    fn job_completed(&self, operation: OperationKind, status: JobStatus, end_to_end: Duration);

    /// A request for a job was refused.
    fn job_rejected(&self, reason: RejectionReason);

    /// An execution was claimed by this process's worker, `waited` after the job's acceptance.
    fn execution_claimed(&self, operation: OperationKind, waited: Duration);

    /// An operation starts in this process.
    fn execution_started(&self, operation: OperationKind);

    /// An operation that started in this process stopped, for whatever reason.
    fn execution_stopped(&self, operation: OperationKind);

    /// This process's worker finished an execution, which `ran` for so long.
    fn execution_finished(&self, operation: OperationKind, status: ExecutionStatus, ran: Duration);

    /// A lease ended and the execution went back to the queue.
    fn execution_redelivered(&self, operation: OperationKind);

    /// A result came after its claim had become void and was dropped.
    fn stale_result(&self);

    /// The worker of this process joined the fleet under this name.
    fn worker_joined(&self, hostname: &Hostname);

    /// The worker of this process left.
    fn worker_left(&self);

    /// The link to the queue was lost and is there again.
    fn queue_reconnected(&self);

    /// This process's copy of the jobs lacks so many records of the queue.
    fn queue_copy_lag(&self, records: u64);

    /// A background task panicked, and is started again.
    fn task_panicked(&self);
    /// A call to the queue ended after `took`.
    fn queue_called(&self, operation: QueueOperation, outcome: QueueOutcome, took: Duration);
}
