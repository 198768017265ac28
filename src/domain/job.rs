//! Jobs: one accepted request, and the executions that it consists of.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{
    Execution, Hostname, JobId, JobStatus, Operation, OperationKind, Target, TargetError, TimeLimits, TimelineEntry,
    Worker,
};

/// Where an execution of a new job belongs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Any worker may claim it.
    Any,
    /// Only this worker may claim it.
    Host(Hostname),
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("_any"),
            Self::Host(hostname) => hostname.fmt(f),
        }
    }
}

/// A job that may be stored: everything about it is valid and resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// What to do.
    pub operation: Operation,
    /// Where, as the caller said it.
    pub target: Target,
    /// Where, as resolved at acceptance. Never empty.
    pub slots: Vec<Slot>,
    /// Longest run of one execution.
    pub timeout: Duration,
    /// How often an execution may be started.
    pub max_attempts: u32,
    /// From its acceptance, which the queue stamps, to the end of waiting.
    pub deadline: Duration,
    /// The token subject that asked.
    pub created_by: String,
    /// The job that this one repeats.
    pub retried_from: Option<JobId>,
}

impl NewJob {
    /// Accepts a request: resolves the target among the connected `workers`.
    ///
    /// # Errors
    /// When the target cannot be served now.
    #[expect(clippy::too_many_arguments, reason = "each is one independent fact about the request")]
    pub fn accept(
        id: JobId,
        operation: Operation,
        target: Target,
        workers: &[Worker],
        limits: TimeLimits,
        max_attempts: u32,
        created_by: String,
        retried_from: Option<JobId>,
    ) -> Result<Self, TargetError> {
        let slots = target.resolve(operation.kind(), workers)?;
        Ok(Self {
            id,
            operation,
            target,
            slots,
            timeout: limits.timeout,
            max_attempts,
            deadline: limits.deadline,
            created_by,
            retried_from,
        })
    }
}

/// A job as its creator sees it: all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What lists show of it.
    pub summary: JobSummary,
    /// One per targeted host, ordered by host.
    pub executions: Vec<Execution>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

/// A job without its executions, as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// What to do.
    pub operation: Operation,
    /// Where, as the caller said it.
    pub target: Target,
    /// Where it stands.
    pub status: JobStatus,
    /// Longest run of one execution.
    pub timeout: Duration,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the first execution started.
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    pub finished_at: Option<Timestamp>,
    /// When its executions stop waiting.
    pub deadline_at: Timestamp,
    /// When somebody first asked to cancel it.
    pub cancel_requested_at: Option<Timestamp>,
    /// The token subject that asked for it.
    pub created_by: String,
    /// The job that this one repeats.
    pub retried_from: Option<JobId>,
}

impl JobSummary {
    /// The kind of its operation.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        self.operation.kind()
    }

    /// The time between acceptance and deadline.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline_at.duration_since(self.created_at).try_into().unwrap_or_default()
    }
}
