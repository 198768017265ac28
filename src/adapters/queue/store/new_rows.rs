//! The rows of a new job: made where it is accepted, written where rows are written.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use serde_json::value::RawValue;

use super::{Deltas, Moment, failure, micros, timestamp, whole};
use crate::{
    domain::{Execution, ExecutionStatus, Hostname, Job, JobId, JobStatus, JobSummary, NewJob, Slot},
    ports::driven::{QueueError, QueueErrorKind, Submission},
};

/// What a record takes beside its texts, about.
const ROW_BYTES: usize = 400;

/// A new job, ready to be written.
pub(in crate::adapters::queue) struct NewRows {
    pub(in crate::adapters::queue) job: NewJob,
    created_at: Timestamp,
    /// When it was accepted, in steady time.
    pub(in crate::adapters::queue) accepted: i64,
    data: Option<Box<RawValue>>,
    effect: &'static str,
    target: String,
    slots: Vec<String>,
    bytes: i64,
}

impl NewRows {
    /// The rows of a job that was accepted at this moment, and the job as they show it.
    pub(in crate::adapters::queue) fn of(submission: Submission, at: Moment) -> Result<(Self, Job), QueueError> {
        let created_at = timestamp(at.at).map_err(failure)?;
        let Submission { job, effect, idempotency: _ } = submission;
        let data = job.operation.data().map_err(|error| {
            QueueError::new(QueueErrorKind::Corrupt, "the input cannot be written as JSON").with_source(error)
        })?;
        let target = job.target.to_string();
        let slots: Vec<String> = job.slots.iter().map(ToString::to_string).collect();
        let texts = data.as_ref().map_or(0, |data| data.get().len()) + target.len() + job.created_by.len();
        let bytes = ROW_BYTES + texts + slots.iter().map(|slot| slot.len() + ROW_BYTES).sum::<usize>();
        let shown = shown(&job, created_at);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok((Self { job, created_at, accepted: at.steady, data, effect: effect.as_str(), target, slots, bytes }, shown))
    }

    /// When its executions stop waiting, in steady time.
    pub(in crate::adapters::queue) fn expires(&self) -> i64 {
        self.accepted.saturating_add(whole(self.job.deadline))
    }

    /// What these rows add to the figures.
    pub(in crate::adapters::queue) fn deltas(&self) -> Deltas {
        let depth = i64::try_from(self.slots.len()).unwrap_or(i64::MAX);
        let mut deltas = Deltas { created: 1, depth, bytes: self.bytes, ..Deltas::default() };
        deltas.jobs[self.job.operation.kind().index()][JobStatus::Queued.index()] = 1;
        deltas
    }

    /// Writes the rows.
    pub(in crate::adapters::queue) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let job = &self.job;
        let id = job.id.as_uuid();
        let retried_from = job.retried_from.map(JobId::as_uuid);
        connection
            .prepare_cached(
                "INSERT INTO job (id, operation, data, effect, target, status, timeout, max_attempts, created_at, \
                 deadline_at, created_by, retried_from, bytes, accepted) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                id.as_bytes(),
                job.operation.kind().name(),
                self.data.as_ref().map(|data| data.get()),
                self.effect,
                self.target,
                whole(job.timeout),
                job.max_attempts,
                micros(self.created_at),
                micros(deadline_at(job, self.created_at)),
                job.created_by,
                retried_from.as_ref().map(uuid::Uuid::as_bytes),
                self.bytes,
                self.accepted,
            ])?;
        let mut execution = connection.prepare_cached(
            "INSERT INTO execution (job_id, slot, worker, status, needs_commands, expires, accepted) \
             VALUES (?1, ?2, ?3, 'queued', ?4, ?5, ?6)",
        )?;
        for (name, slot) in self.slots.iter().zip(&job.slots) {
            let worker = matches!(slot, Slot::Host(_)).then_some(name);
            let needs_commands = job.operation.kind().needs_commands();
            let (expires, accepted) = (self.expires(), self.accepted);
            execution.execute(params![id.as_bytes(), name, worker, needs_commands, expires, accepted])?;
        }
        Ok(())
    }
}

/// A job that was just accepted.
fn shown(job: &NewJob, created_at: Timestamp) -> Job {
    let waiting = |worker: Option<Hostname>| Execution {
        worker,
        status: ExecutionStatus::Queued,
        attempt: 0,
        started_at: None,
        finished_at: None,
        duration: None,
        result: None,
        error: None,
    };
    let created = crate::domain::TimelineEntry {
        at: created_at,
        event: crate::domain::TimelineEvent::Created,
        worker: None,
        message: None,
    };
    Job {
        summary: JobSummary {
            id: job.id,
            operation: job.operation.clone(),
            target: job.target.clone(),
            status: JobStatus::Queued,
            timeout: job.timeout,
            created_at,
            started_at: None,
            finished_at: None,
            deadline_at: deadline_at(job, created_at),
            cancel_requested_at: None,
            created_by: job.created_by.clone(),
            retried_from: job.retried_from,
        },
        executions: job
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Any => waiting(None),
                Slot::Host(hostname) => waiting(Some(hostname.clone())),
            })
            .collect(),
        timeline: vec![created],
    }
}

/// When a job's executions stop waiting, as the time of day was at its acceptance.
fn deadline_at(job: &NewJob, created_at: Timestamp) -> Timestamp {
    let deadline = SignedDuration::try_from(job.deadline).unwrap_or(SignedDuration::MAX);
    created_at.checked_add(deadline).unwrap_or(Timestamp::MAX)
}
