//! Changes of executions: asks the domain what an event makes of one, writes it, and settles the job.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::effects::{Effects, earliest};
use crate::{
    adapters::queue::store::{Moment, as_id, between, whole, word},
    domain::{
        Effect, ErrorKind, ExecutionEvent, ExecutionState, ExecutionStatus, JobId, JobStatus, OperationKind,
        ResultDocument, Tally,
    },
    ports::{driven::ClaimToken, driving::JobEvent},
};

/// An execution with what its job says about it.
pub(super) struct Run {
    pub(super) row: i64,
    pub(super) job_id: JobId,
    pub(super) token: Option<ClaimToken>,
    pub(super) operation: OperationKind,
    /// When its job was accepted, in steady time.
    pub(super) accepted: i64,
    state: ExecutionState,
    attempt: u32,
    any: bool,
    worker: Option<String>,
    started_at: Option<i64>,
    /// When it was last claimed, in steady time.
    claimed: Option<i64>,
    /// When it stops waiting, in steady time.
    pub(super) expires: i64,
    job_status: JobStatus,
}

const RUN: &str = "SELECT e.id, e.job_id, e.token, j.operation, e.accepted, e.status, e.cancel_requested, j.effect, \
                   e.attempt, j.max_attempts, e.slot, e.worker, e.started_at, e.expires, j.status, e.claimed \
                   FROM execution e JOIN job j ON j.id = e.job_id";

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let attempt: u32 = row.get(8)?;
    Ok(Run {
        row: row.get(0)?,
        job_id: as_id(row.get(1)?)?,
        token: row.get::<_, Option<i64>>(2)?.map(token_of),
        operation: word(row, 3, |name| OperationKind::from_name(name).ok(), "an unknown operation")?,
        accepted: row.get(4)?,
        state: ExecutionState {
            status: word(row, 5, ExecutionStatus::from_word, "an unknown status")?,
            cancel_requested: row.get(6)?,
            effect: word(row, 7, Effect::from_word, "an unknown effect")?,
            attempts_left: attempt < row.get(9)?,
        },
        attempt,
        any: row.get_ref(10)?.as_str()? == "_any",
        worker: row.get(11)?,
        started_at: row.get(12)?,
        expires: row.get(13)?,
        job_status: word(row, 14, JobStatus::from_word, "an unknown status")?,
        claimed: row.get(15)?,
    })
}

/// A stored token.
pub(super) fn token_of(stored: i64) -> ClaimToken {
    ClaimToken(u64::try_from(stored).unwrap_or_default())
}

/// The execution in this row.
pub(super) fn in_row(connection: &Connection, id: i64) -> rusqlite::Result<Option<Run>> {
    connection.prepare_cached(&format!("{RUN} WHERE e.id = ?1"))?.query_row([id], run).optional()
}

/// The rows of the executions of a job that have not ended.
pub(super) fn open_rows(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("SELECT id FROM execution WHERE job_id = ?1 AND status IN ('queued', 'running')")?
        .query_map([id.as_uuid().as_bytes()], |row| row.get(0))?
        .collect()
}

/// The rows of the executions that run.
pub(super) fn running_rows(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("SELECT id FROM execution WHERE status = 'running'")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// The rows of the executions that waited beyond their deadline at this steady time, the first of them.
pub(super) fn rows_past_deadline(connection: &Connection, now: i64) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM execution WHERE status = 'queued' AND expires <= ?1 ORDER BY expires LIMIT 500",
        )?
        .query_map([now], |row| row.get(0))?
        .collect()
}

/// The earliest deadline of an execution that waits, in steady time.
pub(super) fn earliest_deadline(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT min(expires) FROM execution WHERE status = 'queued'")?
        .query_row([], |row| row.get(0))
}

/// What comes with an event.
#[derive(Default)]
pub(super) struct Detail<'a> {
    /// With [`ExecutionEvent::Claimed`]: by whom, and under which token.
    pub(super) claim: Option<(&'a str, ClaimToken)>,
    /// With an end: what was returned.
    pub(super) result: Option<&'a ResultDocument>,
    /// With an end: what went wrong.
    pub(super) message: Option<&'a str>,
    /// With an end that a worker of this process reports: how long it ran.
    pub(super) ran: Option<Duration>,
}

/// Applies an event to an execution. `false` when it cannot happen any more; then nothing changes.
pub(super) fn apply(
    connection: &Connection,
    now: Moment,
    run: &Run,
    event: ExecutionEvent,
    detail: &Detail<'_>,
    effects: &mut Effects,
) -> rusqlite::Result<bool> {
    let Ok(decision) = run.state.apply(event) else { return Ok(false) };
    let (from, to) = (run.state.status, decision.status);
    match to {
        ExecutionStatus::Running if from == ExecutionStatus::Running => {
            connection.prepare_cached("UPDATE execution SET cancel_requested = 1 WHERE id = ?1")?.execute([run.row])?;
            effects.cancelled.extend(run.token);
        }
        ExecutionStatus::Running => claim(connection, now, run, detail)?,
        ExecutionStatus::Queued => {
            requeue(connection, now, run, event, decision.refund_attempt)?;
            effects.waits_until = earliest(effects.waits_until, Some(run.expires));
        }
        _ => end(connection, now, run, (to, decision.error), detail)?,
    }
    effects.deltas.depth += i64::from(to == ExecutionStatus::Queued) - i64::from(from == ExecutionStatus::Queued);
    if from == ExecutionStatus::Running && to != ExecutionStatus::Running {
        match event {
            ExecutionEvent::WorkerVanished => effects.fenced.extend(run.token),
            _ => effects.released.extend(run.token),
        }
    }
    if event == ExecutionEvent::WorkerVanished && to == ExecutionStatus::Queued {
        effects.events.push(JobEvent::Redelivered { operation: run.operation });
    }
    if let (Some(ran), true) = (detail.ran, to.is_terminal()) {
        effects.events.push(JobEvent::Finished { operation: run.operation, status: to, ran });
    }
    settle(connection, now, run, detail, effects)?;
    Ok(true)
}

fn claim(connection: &Connection, now: Moment, run: &Run, detail: &Detail<'_>) -> rusqlite::Result<()> {
    let Some((worker, token)) = detail.claim else { return Err(rusqlite::Error::InvalidQuery) };
    connection
        .prepare_cached(
            "UPDATE execution SET status = 'running', worker = ?2, token = ?3, attempt = ?4, started_at = ?5, \
             claimed = ?6, cancel_requested = 0 WHERE id = ?1",
        )?
        .execute(params![run.row, worker, token.0.cast_signed(), run.attempt + 1, now.at, now.steady])?;
    Ok(())
}

/// Back to the queue; the attempt that ended becomes history, unless it never began.
fn requeue(
    connection: &Connection,
    now: Moment,
    run: &Run,
    event: ExecutionEvent,
    refund: bool,
) -> rusqlite::Result<()> {
    let why = match event {
        ExecutionEvent::WorkerVanished => Some(ErrorKind::WorkerLost.message()),
        ExecutionEvent::WorkerStopped => Some(ErrorKind::Interrupted.message()),
        _ => None,
    };
    if why.is_some() {
        let mut history = connection
            .prepare_cached("INSERT INTO event (job_id, at, event, worker, message) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let id = run.job_id.as_uuid();
        history.execute(params![
            id.as_bytes(),
            run.started_at.unwrap_or(now.at),
            "started",
            run.worker,
            None::<&str>
        ])?;
        history.execute(params![id.as_bytes(), now.at, "requeued", run.worker, why])?;
    }
    connection
        .prepare_cached(
            "UPDATE execution SET status = 'queued', token = NULL, started_at = NULL, claimed = NULL, cancel_requested = 0, \
             attempt = ?2, worker = ?3 WHERE id = ?1",
        )?
        .execute(params![run.row, run.attempt - u32::from(refund), run.worker.as_deref().filter(|_| !run.any)])?;
    Ok(())
}

fn end(
    connection: &Connection,
    now: Moment,
    run: &Run,
    (status, error): (ExecutionStatus, Option<ErrorKind>),
    detail: &Detail<'_>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE execution SET status = ?2, finished_at = ?3, result = ?4, error_kind = ?5, error_message = ?6, \
             ran = ?7 WHERE id = ?1",
        )?
        .execute(params![
            run.row,
            status.as_str(),
            now.at,
            detail.result.map(ResultDocument::as_json),
            error.map(ErrorKind::as_str),
            // The words of an error belong to an error.
            error.and(detail.message),
            run.claimed.map(|claimed| detail.ran.map_or_else(|| now.steady.saturating_sub(claimed), whole)),
        ])?;
    Ok(())
}

/// Brings the job's row and the figures up to its executions.
fn settle(
    connection: &Connection,
    now: Moment,
    run: &Run,
    detail: &Detail<'_>,
    effects: &mut Effects,
) -> rusqlite::Result<()> {
    let id = run.job_id.as_uuid();
    let mut tally = Tally::default();
    let mut counts =
        connection.prepare_cached("SELECT status, count(*) FROM execution WHERE job_id = ?1 GROUP BY status")?;
    let mut rows = counts.query([id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        tally.add(word(row, 0, ExecutionStatus::from_word, "an unknown status")?, row.get(1)?);
    }
    let status = tally.job_status();
    let grown = detail.result.map_or(0, |result| result.as_json().len()) + detail.message.map_or(0, str::len);
    let grown = i64::try_from(grown).unwrap_or(i64::MAX);
    let started = detail.claim.map(|_| now.at);
    let (finished, ended) = status.is_terminal().then_some((now.at, now.steady)).unzip();
    connection
        .prepare_cached(
            "UPDATE job SET status = ?2, started_at = coalesce(started_at, ?3), finished_at = ?4, bytes = bytes + ?5, \
             ended = ?6 WHERE id = ?1",
        )?
        .execute(params![id.as_bytes(), status.as_str(), started, finished, grown, ended])?;

    effects.deltas.bytes += grown;
    let figures = &mut effects.deltas.jobs[run.operation.index()];
    figures[run.job_status.index()] -= 1;
    figures[status.index()] += 1;
    if status.is_terminal() {
        effects.deltas.completed[status.index()] += 1;
        effects.ended.push(run.job_id);
        let end_to_end = between(run.accepted, now.steady);
        effects.events.push(JobEvent::Completed { operation: run.operation, status, end_to_end });
    }
    Ok(())
}
