//! What can go wrong in a queue or registry.

use std::error::Error;

use crate::domain::JobId;

/// What callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueErrorKind {
    /// More executions wait than `job.queue.max_depth` allows.
    Full,
    /// Too many requests wait for the store; trying again shortly helps.
    Busy,
    /// The store or broker cannot be reached, or fails.
    Unavailable,
    /// No space left to store anything.
    StorageFull,
    /// What is stored cannot be understood.
    Corrupt,
    /// The record is larger than the backend stores.
    TooLarge,
    /// A live worker with this hostname exists.
    HostnameTaken,
}

/// A queue operation failed. Nothing was changed, unless [`QueueError::uncertain`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct QueueError {
    kind: QueueErrorKind,
    message: String,
    uncertain: bool,
    job_id: Option<JobId>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl QueueError {
    /// An error of this kind; the message is for logs, lowercase, without a final dot.
    #[must_use]
    pub fn new(kind: QueueErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), uncertain: false, job_id: None, source: None }
    }

    /// Adds the backend's own error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks that the change may have been made all the same.
    #[must_use]
    pub const fn possibly_applied(mut self) -> Self {
        self.uncertain = true;
        self
    }

    /// Names the job that the change is about, where that is another one than the caller's.
    #[must_use]
    pub const fn about(mut self, job_id: JobId) -> Self {
        self.job_id = Some(job_id);
        self
    }

    /// The job that the change is about, where that is another one than the caller's.
    #[must_use]
    pub const fn job_id(&self) -> Option<JobId> {
        self.job_id
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> QueueErrorKind {
        self.kind
    }

    /// Whether the change may have been made all the same.
    #[must_use]
    pub const fn uncertain(&self) -> bool {
        self.uncertain
    }
}
