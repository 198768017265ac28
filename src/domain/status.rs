//! The statuses of jobs and executions, and how a job's status follows from those of its executions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares a closed status enum with its words, so that wire, store, labels and code share one spelling.
macro_rules! statuses {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$inner])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every status, in the order of a life.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The one spelling: on the wire, in the store, as a metric label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The status with this spelling.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|status| status.as_str() == word)
            }

            /// Whether nothing can change it any more.
            #[must_use]
            pub const fn is_terminal(self) -> bool {
                !matches!(self, Self::Queued | Self::Running)
            }

            /// Position in [`Self::ALL`], for tables indexed by status.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

statuses! {
    /// Where the run of a job on one host stands.
    ExecutionStatus {
        /// Waits for a worker.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        /// The operation returned.
        Completed = "completed",
        /// The operation reported an error, or could not be run.
        Failed = "failed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// The deadline passed before it could run.
        Expired = "expired",
        /// The worker vanished while running an `at_most_once` operation: it may or may not have run.
        Lost = "lost",
    }
}

statuses! {
    /// Where a job stands; follows from its executions by [`Tally::job_status`].
    JobStatus {
        /// All executions wait.
        Queued = "queued",
        /// Some execution is not terminal and not all wait.
        Running = "running",
        /// All executions completed.
        Completed = "completed",
        /// All executions failed, or mixed ends without a completed one where `failed` ranks first.
        Failed = "failed",
        /// Some executions completed and some did not.
        PartialFailure = "partial_failure",
        /// All executions were cancelled.
        Cancelled = "cancelled",
        /// All executions expired.
        Expired = "expired",
        /// At least one execution was lost and none completed.
        Lost = "lost",
    }
}

impl From<ExecutionStatus> for JobStatus {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Queued => Self::Queued,
            ExecutionStatus::Running => Self::Running,
            ExecutionStatus::Completed => Self::Completed,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Cancelled => Self::Cancelled,
            ExecutionStatus::Expired => Self::Expired,
            ExecutionStatus::Lost => Self::Lost,
        }
    }
}

/// Ends that differ and hold no `completed`: the first of these that is present names the job.
pub const MIXED_WITHOUT_COMPLETED: [ExecutionStatus; 4] =
    [ExecutionStatus::Lost, ExecutionStatus::Failed, ExecutionStatus::Expired, ExecutionStatus::Cancelled];

/// How many executions of one job stand at each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally([u32; ExecutionStatus::ALL.len()]);

impl Tally {
    /// Adds `count` executions at `status`.
    pub fn add(&mut self, status: ExecutionStatus, count: u32) {
        self.0[status.index()] += count;
    }

    /// Executions at `status`.
    #[must_use]
    pub const fn count(&self, status: ExecutionStatus) -> u32 {
        self.0[status.index()]
    }

    /// All executions.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The job's status, by the table of the design: see [`JobStatus`].
    ///
    /// A job without executions cannot be accepted; the empty tally reads as queued.
    #[must_use]
    pub fn job_status(&self) -> JobStatus {
        let total = self.total();
        if let Some(alike) = ExecutionStatus::ALL.into_iter().find(|status| self.count(*status) == total) {
            return alike.into();
        }
        if ExecutionStatus::ALL.into_iter().any(|status| !status.is_terminal() && self.count(status) > 0) {
            return JobStatus::Running;
        }
        if self.count(ExecutionStatus::Completed) > 0 {
            return JobStatus::PartialFailure;
        }
        let first = MIXED_WITHOUT_COMPLETED.into_iter().find(|status| self.count(*status) > 0);
        first.map_or(JobStatus::Failed, JobStatus::from)
    }
}

impl FromIterator<ExecutionStatus> for Tally {
    fn from_iter<I: IntoIterator<Item = ExecutionStatus>>(statuses: I) -> Self {
        let mut tally = Self::default();
        statuses.into_iter().for_each(|status| tally.add(status, 1));
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use ExecutionStatus::{Cancelled, Completed, Expired, Failed, Lost, Queued, Running};

    /// The job's status for every pair of executions, cell by cell. Rows and columns: queued, running, completed,
    /// failed, cancelled, expired, lost.
    #[rustfmt::skip]
    const PAIRS: [[JobStatus; 7]; 7] = {
        use JobStatus::{Queued as Q, Running as R, Completed as C, Failed as F, PartialFailure as P, Cancelled as X, Expired as E, Lost as L};
        [
            [Q, R, R, R, R, R, R],
            [R, R, R, R, R, R, R],
            [R, R, C, P, P, P, P],
            [R, R, P, F, F, F, L],
            [R, R, P, F, X, E, L],
            [R, R, P, F, E, E, L],
            [R, R, P, L, L, L, L],
        ]
    };

    #[test]
    fn a_job_of_two_executions_follows_the_table() {
        for first in ExecutionStatus::ALL {
            for second in ExecutionStatus::ALL {
                let tally: Tally = [first, second].into_iter().collect();
                assert_eq!(tally.job_status(), PAIRS[first.index()][second.index()], "{first} + {second}");
            }
        }
    }

    #[test]
    fn a_job_of_one_execution_has_its_status() {
        for status in ExecutionStatus::ALL {
            assert_eq!(Tally::from_iter([status]).job_status().as_str(), status.as_str());
        }
    }

    #[test]
    fn mixed_ends_of_three_take_the_first_of_the_precedence() {
        assert_eq!(Tally::from_iter([Cancelled, Expired, Failed]).job_status(), JobStatus::Failed);
        assert_eq!(Tally::from_iter([Cancelled, Expired, Lost]).job_status(), JobStatus::Lost);
        assert_eq!(Tally::from_iter([Completed, Expired, Lost]).job_status(), JobStatus::PartialFailure);
        assert_eq!(Tally::from_iter([Completed, Completed, Queued]).job_status(), JobStatus::Running);
        assert_eq!(Tally::from_iter([Running, Running, Running]).job_status(), JobStatus::Running);
        assert_eq!(Tally::from_iter([Queued, Queued, Queued]).job_status(), JobStatus::Queued);
    }

    #[test]
    fn words_read_back_and_agree_with_serde() {
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::from_word(status.as_str()), Some(status));
            assert_eq!(serde_json::to_string(&status).expect("serializes"), format!("\"{status}\""));
        }
        for status in ExecutionStatus::ALL {
            assert_eq!(ExecutionStatus::from_word(status.as_str()), Some(status));
        }
        assert_eq!(JobStatus::from_word("done"), None);
    }
}
