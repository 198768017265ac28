//! What an embedded queue is made with.

use std::{path::PathBuf, time::Duration};

use crate::{adapters::queue::Retention, ports::driven::Durability};

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
