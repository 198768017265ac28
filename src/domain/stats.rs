//! The figures of a queue at one moment: all taken together, so that they agree to the unit.

use std::time::Duration;

use super::{Hostname, JobStatus, OperationKind};

/// Lifetime totals, changed in the same transaction as the jobs they count. They survive restarts, retention and
/// deletion, and never decrease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Jobs ever accepted.
    pub created: u64,
    /// Jobs that ever became terminal, by status; 0 for the statuses that are not terminal.
    pub completed: [u64; JobStatus::ALL.len()],
}

/// One consistent snapshot of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Jobs now stored, by [`OperationKind::index`] and [`JobStatus::index`].
    pub jobs: [[u64; JobStatus::ALL.len()]; OperationKind::ALL.len()],
    /// Lifetime totals.
    pub ledger: Ledger,
    /// Executions that wait.
    pub depth: u64,
    /// Time since the acceptance of the oldest job that has an execution waiting.
    pub oldest_waiting: Option<Duration>,
    /// Time since the start of the execution that has been running longest.
    pub longest_run: Option<Duration>,
    /// Hosts that executions wait for, ordered by name.
    pub hosts_waited_for: Vec<Hostname>,
}

impl QueueStats {
    /// Jobs now stored at `status`.
    #[must_use]
    pub fn by_status(&self, status: JobStatus) -> u64 {
        self.jobs.iter().map(|row| row[status.index()]).sum()
    }

    /// Jobs now stored of `operation`.
    #[must_use]
    pub fn by_operation(&self, operation: OperationKind) -> u64 {
        self.jobs[operation.index()].iter().sum()
    }

    /// Age of the oldest waiting job: zero if and only if nothing waits, and at least 1 ms while something does.
    #[must_use]
    pub fn oldest_age(&self) -> Duration {
        self.oldest_waiting.map_or(Duration::ZERO, |age| age.max(Duration::from_millis(1)))
    }

    /// How long the longest running execution has been running; zero when none runs.
    #[must_use]
    pub fn longest_running(&self) -> Duration {
        self.longest_run.unwrap_or_default()
    }

    /// The law of the ledger: every job ever created has ended or is still here, waiting or running.
    #[must_use]
    pub fn ledger_balances(&self) -> bool {
        let open = self.by_status(JobStatus::Queued) + self.by_status(JobStatus::Running);
        self.ledger.created == self.ledger.completed.iter().sum::<u64>() + open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_age_is_zero_only_when_nothing_waits() {
        let mut stats = QueueStats::default();
        assert_eq!(stats.oldest_age(), Duration::ZERO);
        stats.oldest_waiting = Some(Duration::from_secs(3));
        assert_eq!(stats.oldest_age(), Duration::from_secs(3));
        stats.oldest_waiting = Some(Duration::ZERO);
        assert_eq!(stats.oldest_age(), Duration::from_millis(1));
    }

    #[test]
    fn the_ledger_balances_while_every_job_is_accounted_for() {
        let mut stats = QueueStats::default();
        stats.ledger.created = 3;
        stats.ledger.completed[JobStatus::Failed.index()] = 1;
        stats.jobs[0][JobStatus::Queued.index()] = 1;
        stats.jobs[0][JobStatus::Running.index()] = 1;
        assert!(stats.ledger_balances());
        stats.jobs[0][JobStatus::Failed.index()] = 1;
        assert!(stats.ledger_balances());
        stats.jobs[0][JobStatus::Running.index()] = 0;
        assert!(!stats.ledger_balances());
    }
}
