//! What an embedded queue is made with.

use std::{path::PathBuf, time::Duration};

use crate::ports::driven::Durability;

/// What an embedded queue is made with.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Where its files are. Made with mode 0700 when it is not there.
    pub data_dir: PathBuf,
    /// What an acknowledged change survives.
    pub durability: Durability,
    /// Executions that may wait.
    pub max_depth: u64,
    /// Length of a lease.
    pub lease: Duration,
    /// How long terminal jobs are kept.
    pub retention: Retention,
}

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
