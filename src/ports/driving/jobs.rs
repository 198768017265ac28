//! Jobs, as operators use them.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    Caller, FieldError, IdempotencyKey, Job, JobId, JobStatus, Operation, QueueStats, Scope, Target, TargetError,
};
use crate::ports::driven::{JobPage, PageRequest};

/// A request for a new job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRequest {
    /// What to do.
    pub operation: Operation,
    /// Where.
    pub target: Target,
    /// Longest run of one execution, in seconds.
    pub timeout_seconds: Option<u64>,
    /// Longest time until the end of waiting, in seconds.
    pub deadline_seconds: Option<u64>,
    /// Makes a repetition of the request find the same job.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A request to repeat a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryRequest {
    /// The job to repeat.
    pub id: JobId,
    /// Where; the original's target when none.
    pub target: Option<Target>,
    /// Makes a repetition of the request find the same job.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// An accepted request.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The job, as it stands when the wait is over.
    pub job: Job,
    /// Whether the request had been made before.
    pub replayed: bool,
}

/// A request about jobs that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobsError {
    /// Readable but wrong.
    #[error("the request has invalid fields")]
    Invalid(Vec<FieldError>),
    /// The target cannot be served now.
    #[error("{0}")]
    Target(TargetError),
    /// The operation needs a larger scope than the caller has.
    #[error("the operation needs the role `{0}`")]
    Forbidden(Scope),
    /// No such job.
    #[error("no such job")]
    NotFound,
    /// The request makes a job that is larger than the queue stores.
    #[error("the job is larger than the queue stores")]
    TooLarge,
    /// The job stands at a status that does not allow it.
    #[error("the job is {0}")]
    Conflict(JobStatus),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The idempotency key made a job that was deleted since.
    #[error("the job that this idempotency key made was deleted")]
    Deleted(JobId),
    /// The queue is full or busy: try again later.
    #[error("the queue is full")]
    QueueFull,
    /// The queue cannot be reached; where the job may have been stored all the same, its id.
    #[error("the queue is unavailable")]
    Unavailable {
        /// The job that may exist.
        job_id: Option<JobId>,
    },
    /// No space left to store anything.
    #[error("the storage is full")]
    StorageFull,
    /// A record cannot be understood.
    #[error("a stored record is corrupt")]
    Corrupt,
}

/// Jobs, as operators use them.
///
/// Changes are made once, or not at all, also when the caller stops waiting for the answer.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Accepts a job and waits up to `wait` for its end. Accepted means durable.
    async fn submit(&self, caller: Caller, request: JobRequest, wait: Duration) -> Result<Submitted, JobsError>;

    /// The job, after waiting up to `wait` for its end.
    async fn job(&self, id: JobId, wait: Duration) -> Result<Job, JobsError>;

    /// One page of jobs, newest first.
    async fn list(&self, request: PageRequest) -> Result<JobPage, JobsError>;

    /// The figures of the queue.
    async fn stats(&self) -> Result<QueueStats, JobsError>;

    /// Repeats a job as a new one, if the caller may run its operation.
    async fn retry(&self, caller: Caller, request: RetryRequest) -> Result<Submitted, JobsError>;

    /// Cancels a job: what waits never runs, what runs is asked to stop.
    async fn cancel(&self, id: JobId) -> Result<Job, JobsError>;

    /// Deletes a terminal job.
    async fn delete(&self, id: JobId) -> Result<(), JobsError>;
}
