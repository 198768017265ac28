//! How long terminal jobs are kept.

use std::time::Duration;

/// How long terminal jobs are kept: until any of these is exceeded.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Time since the end of a job.
    pub age: Duration,
    /// Terminal jobs.
    pub max_jobs: u64,
    /// Bytes of all records, about.
    pub max_bytes: u64,
}
