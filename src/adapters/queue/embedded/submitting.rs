//! Storing a job: its rows are made on the caller's thread, and written on the writer's.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;

use super::{command::Accepted, effects::Effects};
use crate::{
    adapters::queue::store::{Deltas, as_id, micros},
    domain::{Execution, ExecutionStatus, Hostname, Idempotency, Job, JobId, JobStatus, JobSummary, NewJob, Slot},
    ports::{
        driven::{QueueError, QueueErrorKind, Submission},
        driving::JobEvent,
    },
};

/// What a record takes beside its texts, about.
const ROW_BYTES: usize = 400;

/// A submission, ready to be written.
pub(super) struct NewRows {
    job: NewJob,
    data: Option<Box<RawValue>>,
    effect: &'static str,
    target: String,
    slots: Vec<String>,
    bytes: i64,
    idempotency: Option<Idempotency>,
}

impl NewRows {
    /// The rows, and the job as they show it.
    pub(super) fn of(submission: Submission) -> Result<(Self, Job), QueueError> {
        let Submission { job, effect, idempotency } = submission;
        let data = job.operation.data().map_err(|error| {
            QueueError::new(QueueErrorKind::Corrupt, "the input cannot be written as JSON").with_source(error)
        })?;
        let target = job.target.to_string();
        let slots: Vec<String> = job.slots.iter().map(ToString::to_string).collect();
        let texts = data.as_ref().map_or(0, |data| data.get().len()) + target.len() + job.created_by.len();
        let bytes = ROW_BYTES + texts + slots.iter().map(|slot| slot.len() + ROW_BYTES).sum::<usize>();
        let shown = shown(&job);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok((Self { job, data, effect: effect.as_str(), target, slots, bytes, idempotency }, shown))
    }
}

/// A job that was just accepted.
fn shown(job: &NewJob) -> Job {
    let waiting = |worker: Option<Hostname>| Execution {
        worker,
        status: ExecutionStatus::Queued,
        attempt: 0,
        started_at: None,
        finished_at: None,
        result: None,
        error: None,
    };
    let created = crate::domain::TimelineEntry {
        at: job.created_at,
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
            created_at: job.created_at,
            started_at: None,
            finished_at: None,
            deadline_at: job.deadline_at,
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

/// The job that this key made, and whether for the same request.
pub(super) fn known(connection: &Connection, idempotency: &Idempotency) -> rusqlite::Result<Option<(JobId, bool)>> {
    let mut statement =
        connection.prepare_cached("SELECT job_id, fingerprint FROM idempotency WHERE subject = ?1 AND key = ?2")?;
    let found = statement.query_row((&idempotency.subject, idempotency.key.as_str()), |row| {
        let fingerprint: [u8; 16] = row.get(1)?;
        Ok((as_id(row.get(0)?)?, fingerprint == *idempotency.fingerprint.as_uuid().as_bytes()))
    });
    found.optional()
}

/// Stores a job, unless its key made one before or there is no room.
pub(super) fn submit(
    connection: &Connection,
    rows: &NewRows,
    depth: i64,
    max_depth: u64,
    effects: &mut Effects,
) -> rusqlite::Result<Accepted> {
    if let Some(idempotency) = &rows.idempotency
        && let Some((id, same)) = known(connection, idempotency)?
    {
        return Ok(Accepted::Known { id, same });
    }
    let slots = i64::try_from(rows.slots.len()).unwrap_or(i64::MAX);
    if depth.saturating_add(slots) > i64::try_from(max_depth).unwrap_or(i64::MAX) {
        return Ok(Accepted::Full);
    }
    insert(connection, rows)?;

    let operation = rows.job.operation.kind();
    let mut deltas = Deltas { created: 1, depth: slots, bytes: rows.bytes, ..Deltas::default() };
    deltas.jobs[operation.index()][JobStatus::Queued.index()] = 1;
    effects.deltas.add(&deltas);
    effects.events.push(JobEvent::Created { operation });
    effects.waits_until = Some(micros(rows.job.deadline_at));
    Ok(Accepted::Created)
}

fn insert(connection: &Connection, rows: &NewRows) -> rusqlite::Result<()> {
    let job = &rows.job;
    let id = job.id.as_uuid();
    let retried_from = job.retried_from.map(JobId::as_uuid);
    connection
        .prepare_cached(
            "INSERT INTO job (id, operation, data, effect, target, status, timeout, max_attempts, created_at, \
             deadline_at, created_by, retried_from, bytes) \
             VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            id.as_bytes(),
            job.operation.kind().name(),
            rows.data.as_ref().map(|data| data.get()),
            rows.effect,
            rows.target,
            micros_of(job.timeout),
            job.max_attempts,
            micros(job.created_at),
            micros(job.deadline_at),
            job.created_by,
            retried_from.as_ref().map(uuid::Uuid::as_bytes),
            rows.bytes,
        ])?;
    let mut execution = connection.prepare_cached(
        "INSERT INTO execution (job_id, slot, worker, status, needs_commands, deadline_at) \
         VALUES (?1, ?2, ?3, 'queued', ?4, ?5)",
    )?;
    for (name, slot) in rows.slots.iter().zip(&job.slots) {
        let worker = matches!(slot, Slot::Host(_)).then_some(name);
        let needs_commands = job.operation.kind().needs_commands();
        execution.execute(params![id.as_bytes(), name, worker, needs_commands, micros(job.deadline_at)])?;
    }
    if let Some(idempotency) = &rows.idempotency {
        connection
            .prepare_cached(
                "INSERT INTO idempotency (subject, key, fingerprint, job_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                idempotency.subject,
                idempotency.key.as_str(),
                idempotency.fingerprint.as_uuid().as_bytes(),
                id.as_bytes(),
                micros(job.created_at),
            ])?;
    }
    Ok(())
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
