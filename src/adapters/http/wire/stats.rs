//! The figures of the queue.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{JobStatus, OperationKind, QueueStats};

/// The figures of the queue, all of one moment.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct Stats {
    /// Jobs now stored, by status.
    by_status: BTreeMap<&'static str, u64>,
    /// Jobs now stored, by operation.
    by_operation: BTreeMap<&'static str, u64>,
    /// What waits.
    queue: QueueFigures,
    /// Lifetime totals.
    ledger: Ledger,
}

/// What waits.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct QueueFigures {
    /// Executions that wait.
    depth: u64,
    /// Age of the oldest of them, in seconds; 0 when none waits.
    oldest_age_seconds: f64,
}

/// Totals since the store was made.
#[derive(Debug, Serialize, JsonSchema)]
struct Ledger {
    /// Jobs ever accepted.
    created: u64,
    /// Jobs that ever ended, by their last status.
    by_terminal_status: BTreeMap<&'static str, u64>,
}

impl From<&QueueStats> for QueueFigures {
    fn from(stats: &QueueStats) -> Self {
        Self { depth: stats.depth, oldest_age_seconds: stats.oldest_age().as_secs_f64() }
    }
}

impl From<&QueueStats> for Stats {
    fn from(stats: &QueueStats) -> Self {
        let terminal = JobStatus::ALL.into_iter().filter(|status| status.is_terminal());
        Self {
            by_status: JobStatus::ALL.map(|status| (status.as_str(), stats.by_status(status))).into(),
            by_operation: OperationKind::ALL.map(|kind| (kind.name(), stats.by_operation(kind))).into(),
            queue: stats.into(),
            ledger: Ledger {
                created: stats.ledger.created,
                by_terminal_status: terminal
                    .map(|status| (status.as_str(), stats.ledger.completed[status.index()]))
                    .collect(),
            },
        }
    }
}
