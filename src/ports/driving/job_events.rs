//! What the core wants to hear from a queue.

use std::time::Duration;

use crate::domain::{ExecutionStatus, JobStatus, OperationKind};

/// A change that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// A job was accepted.
    Created {
        /// Its operation.
        operation: OperationKind,
    },
    /// A worker of this process claimed an execution.
    Claimed {
        /// Its operation.
        operation: OperationKind,
        /// Time since the job's acceptance.
        waited: Duration,
    },
    /// A worker of this process finished an execution.
    Finished {
        /// Its operation.
        operation: OperationKind,
        /// Its end.
        status: ExecutionStatus,
        /// How long the attempt ran.
        ran: Duration,
    },
    /// A lease ended and the execution went back to the queue.
    Redelivered {
        /// Its operation.
        operation: OperationKind,
    },
    /// A job became terminal, by whatever cause.
    Completed {
        /// Its operation.
        operation: OperationKind,
        /// Its end.
        status: JobStatus,
        /// Time since its acceptance.
        end_to_end: Duration,
    },
}

/// Hears of every durable change, once.
///
/// Called by the queue after the commit and before anybody is answered or woken because of it, so that whoever sees
/// the change also sees it counted. Must be quick and must not block: it may run on the queue's only writer.
#[cfg_attr(test, mockall::automock)]
pub trait JobEvents: Send + Sync {
    /// These changes were made, in this order.
    fn committed(&self, events: &[JobEvent]);
}
