//! The durable queue: where jobs live from acceptance to deletion.

use std::time::Duration;

use super::QueueError;
use crate::domain::{
    Effect, ExecutionEvent, Hostname, Idempotency, InstanceId, Job, JobId, JobStatus, JobSummary, NewJob, Operation,
    OperationKind, QueueStats, ResultDocument, Target,
};
use async_trait::async_trait;

/// A job to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The job.
    pub job: NewJob,
    /// The effect promised for it, stored with it: what becomes of its executions when a worker vanishes.
    pub effect: Effect,
    /// How a repetition of the request is recognised.
    pub idempotency: Option<Idempotency>,
}

/// What became of a submission. Every variant is durable when it is returned.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// Stored: the job was accepted.
    Created(Box<Job>),
    /// The same request made this job before.
    Replayed(Box<Job>),
    /// The same request made this job before, and it was deleted since.
    ReplayedDeleted(JobId),
    /// The key was used for another request before.
    KeyReused,
}

/// Which jobs a list shows; filters that are set must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Jobs at this status.
    pub status: Option<JobStatus>,
    /// Jobs of this operation.
    pub operation: Option<OperationKind>,
    /// Jobs with exactly this target.
    pub target: Option<Target>,
    /// Jobs with an execution meant for, or claimed by, this host.
    pub worker: Option<Hostname>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Which jobs.
    pub filter: JobFilter,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
    /// At most so many, 1–100.
    pub limit: u32,
}

/// Jobs, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobSummary>,
    /// Where the next page starts; none on the last. A page may be short and still have a next one.
    pub next: Option<JobId>,
}

/// A worker that asks for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Its hostname.
    pub worker: Hostname,
    /// Its life.
    pub instance: InstanceId,
    /// At most so many executions, at least 1.
    pub max: u32,
    /// Whether it runs commands.
    pub commands_enabled: bool,
}

/// New and larger at every claim, never reused: the only fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimToken(pub u64);

/// A worker's right to run one execution, until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The fence of everything that the worker does with it.
    pub token: ClaimToken,
    /// The job it belongs to.
    pub job_id: JobId,
    /// What to run.
    pub operation: Operation,
    /// The effect promised for it.
    pub effect: Effect,
    /// Which start this is, from 1.
    pub attempt: u32,
    /// Longest run.
    pub timeout: Duration,
    /// Time until the job's deadline at the moment of the claim; it caps the run.
    pub time_left: Duration,
}

/// What ended a run, as its worker reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// [`ExecutionEvent::Returned`], `Failed`, `CancelConfirmed` or `WorkerStopped`.
    pub event: ExecutionEvent,
    /// What was returned, or is left of an unfinished run.
    pub result: Option<ResultDocument>,
    /// What went wrong, for the operator; none for the standard words of the error kind.
    pub message: Option<String>,
}

/// Why a worker must stop a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Cancelled: stop it and report [`ExecutionEvent::CancelConfirmed`].
    CancelRequested,
    /// The claim is void: stop it and drop the result.
    Fenced,
}

/// What a cancellation found.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelled {
    /// Cancelled, or asked to: the job after the change.
    Accepted(Box<Job>),
    /// Too late; nothing changed.
    AlreadyTerminal(JobStatus),
    /// No such job.
    NotFound,
}

/// What a deletion found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// Gone.
    Done,
    /// It is not terminal; nothing changed.
    NotTerminal(JobStatus),
    /// No such job.
    NotFound,
}

/// How far a durable change is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk before it is acknowledged.
    PowerLoss,
    /// With the operating system before it is acknowledged.
    ProcessCrash,
}

impl Durability {
    /// The one spelling: in configuration, health and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PowerLoss => "power_loss",
            Self::ProcessCrash => "process_crash",
        }
    }
}

/// What a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueInfo {
    /// Its name in the configuration.
    pub backend: &'static str,
    /// What survives.
    pub durability: Durability,
}

/// The durable queue.
///
/// Promises, shown for every adapter by one conformance suite:
/// * A change is durable, to the level of [`QueueInfo::durability`], before its method returns `Ok`.
/// * Statuses change only as [`crate::domain::ExecutionState::apply`] decides.
/// * The queue acts by itself when a lease ends or a deadline passes; no caller has to poll.
/// * After each durable change, and before anybody is answered or woken because of it, the change is reported once to
///   [`crate::ports::driving::JobEvents`].
/// * A future that is dropped undoes nothing and repeats nothing: its change is made once or not at all.
///
/// Errors leave everything as it was, unless they say [`QueueError::uncertain`].
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// What the queue is.
    fn info(&self) -> QueueInfo;

    /// Whether the queue can be read and written now.
    async fn check(&self) -> Result<(), QueueError>;

    /// Stores a job, its executions and its idempotency record together, or finds the one that the key made before.
    ///
    /// Of concurrent submissions with one key exactly one creates. Refuses with [`super::QueueErrorKind::Full`] when the
    /// executions would exceed the configured depth.
    async fn submit(&self, submission: Submission) -> Result<Submitted, QueueError>;

    /// What the request with this idempotency key and fingerprint made before; none when the key is new.
    async fn replay(&self, idempotency: &Idempotency) -> Result<Option<Submitted>, QueueError>;

    /// The job, as of all changes acknowledged before the call.
    async fn job(&self, id: JobId) -> Result<Option<Job>, QueueError>;

    /// One page of jobs, newest first, at a cost that does not grow with the number of jobs.
    async fn jobs(&self, request: PageRequest) -> Result<JobPage, QueueError>;

    /// All figures, from one consistent snapshot, at a cost that does not grow with the number of jobs.
    async fn stats(&self) -> Result<QueueStats, QueueError>;

    /// Returns the job once it is terminal, at once when it is already; none when it is gone. Waits without polling.
    async fn ended(&self, id: JobId) -> Result<Option<Job>, QueueError>;

    /// Cancels what waits and asks what runs to stop.
    async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError>;

    /// Removes a terminal job. Its idempotency record stays.
    async fn delete(&self, id: JobId) -> Result<Deleted, QueueError>;

    /// Claims up to `max` executions for a worker, oldest first; waits without polling until there is at least one.
    ///
    /// Nothing is claimed while the worker drains. Dropping the future before it returns claims nothing, or leaves
    /// claims whose leases end.
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, QueueError>;

    /// Extends the lease of a claim by its full length, at most to one lease after the deadline.
    ///
    /// `false` when the claim is void.
    async fn renew(&self, token: ClaimToken) -> Result<bool, QueueError>;

    /// Returns when the worker must stop the run, without polling; never when that does not happen.
    async fn revoked(&self, token: ClaimToken) -> Result<Revocation, QueueError>;

    /// Records the end of a run. `false` when the claim is void: then nothing changed.
    async fn finish(&self, token: ClaimToken, outcome: Outcome) -> Result<bool, QueueError>;
}
