//! What an event makes of an execution: asks the domain, and writes the next record and the reports of it.

use std::time::Duration;

use super::record::{ExecutionRecord, JobRecord, Mark, Past};
use crate::{
    adapters::queue::store::whole,
    domain::{ErrorKind, ExecutionEvent, ExecutionState, ExecutionStatus, Hostname, JobStatus},
    ports::{driven::Outcome, driving::JobEvent},
};

/// Entries of history that a record keeps, the latest ones.
const HISTORY: usize = 40;

/// What comes with an event.
#[derive(Default, Clone, Copy)]
pub(super) struct Detail<'a> {
    /// With [`ExecutionEvent::Claimed`]: by whom, in this process.
    pub(super) claimant: Option<&'a Hostname>,
    /// With [`ExecutionEvent::Claimed`]: how long that process may be silent.
    pub(super) lease: Duration,
    /// With an end: what the worker says.
    pub(super) outcome: Option<&'a Outcome>,
    /// How long the attempt has been running, if it runs.
    pub(super) ran: Option<Duration>,
    /// Whether a worker of this process reports that.
    pub(super) ran_here: bool,
    /// Time since the job was accepted.
    pub(super) since_acceptance: Duration,
    /// Time until the job's deadline, if that is known.
    pub(super) time_left: Option<Duration>,
}

/// An execution's next record.
pub(super) struct Change {
    pub(super) record: ExecutionRecord,
    /// What is reported once it is stored.
    pub(super) events: Vec<JobEvent>,
}

/// The record of an execution that waits for its first claim.
pub(super) fn untouched(job: &JobRecord, slot: &str) -> ExecutionRecord {
    ExecutionRecord {
        status: ExecutionStatus::Queued,
        attempt: 0,
        worker: slot.parse().ok(),
        session: None,
        token: None,
        lease: None,
        cancel_requested: false,
        started_at: None,
        finished_at: None,
        ran: None,
        result: None,
        error: None,
        message: None,
        history: Vec::new(),
        mark: job.mark,
    }
}

/// Applies an event; none when it cannot happen any more.
///
/// `sequence` is that of the current record: the token of a claim that has just been made. `at` is the time for the
/// record.
#[expect(clippy::too_many_arguments, reason = "each is one independent fact about the change")]
pub(super) fn change(
    job: &JobRecord,
    slot: &str,
    current: &ExecutionRecord,
    sequence: u64,
    event: ExecutionEvent,
    detail: Detail<'_>,
    at: i64,
    mark: Mark,
) -> Option<Change> {
    let state = ExecutionState {
        status: current.status,
        cancel_requested: current.cancel_requested,
        effect: job.effect,
        attempts_left: current.attempt < job.max_attempts,
    };
    let decision = state.apply(event).ok()?;
    let (from, to, operation) = (current.status, decision.status, job.operation);
    let since_acceptance = detail.since_acceptance;
    let mut events = Vec::new();
    let mut record = ExecutionRecord { status: to, mark, ..current.clone() };
    match (from, to) {
        (ExecutionStatus::Running, ExecutionStatus::Running) => {
            record.cancel_requested = decision.cancel_requested;
            record.token = current.token.or(Some(sequence));
        }
        (_, ExecutionStatus::Running) => {
            record.worker = detail.claimant.cloned();
            record.session = Some(mark.session);
            record.lease = u64::try_from(detail.lease.as_micros()).ok();
            record.attempt += 1;
            record.started_at = Some(at);
            events.push(JobEvent::Claimed { operation, waited: since_acceptance });
        }
        (_, ExecutionStatus::Queued) => {
            remember(&mut record, event, at);
            record.attempt -= u32::from(decision.refund_attempt);
            record.worker = slot.parse().ok();
            (record.session, record.token, record.lease, record.started_at) = (None, None, None, None);
            record.cancel_requested = false;
        }
        _ => {
            record.finished_at = Some(at);
            record.ran = detail.ran.filter(|_| from == ExecutionStatus::Running).map(|ran| whole(ran).cast_unsigned());
            record.token = current.token.or((from == ExecutionStatus::Running).then_some(sequence));
            record.error = decision.error;
            record.result = detail.outcome.and_then(|outcome| outcome.result.clone());
            // The words of an error belong to an error.
            record.message = decision.error.and_then(|_| detail.outcome.and_then(|outcome| outcome.message.clone()));
        }
    }
    if event == ExecutionEvent::WorkerVanished && to == ExecutionStatus::Queued {
        events.push(JobEvent::Redelivered { operation });
    }
    if let (Some(ran), true) = (detail.ran.filter(|_| detail.ran_here), to.is_terminal()) {
        events.push(JobEvent::Finished { operation, status: to, ran });
    }
    // A job of several executions ends with a record of its own.
    if to.is_terminal() && job.slots.len() == 1 {
        events.push(JobEvent::Completed { operation, status: JobStatus::from(to), end_to_end: since_acceptance });
    }
    Some(Change { record, events })
}

/// The attempt that ended becomes history, unless it never began.
fn remember(record: &mut ExecutionRecord, event: ExecutionEvent, at: i64) {
    let why = match event {
        ExecutionEvent::WorkerVanished => ErrorKind::WorkerLost.message(),
        ExecutionEvent::WorkerStopped => ErrorKind::Interrupted.message(),
        _ => return,
    };
    let worker = record.worker.clone();
    let started = record.started_at.unwrap_or(at);
    record.history.push(Past { at: started, event: "started".to_owned(), worker: worker.clone(), message: None });
    record.history.push(Past { at, event: "requeued".to_owned(), worker, message: Some(why.to_owned()) });
    let surplus = record.history.len().saturating_sub(HISTORY);
    record.history.drain(..surplus);
}
