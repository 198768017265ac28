//! Rows as jobs of the domain.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, types::ValueRef};
use serde_json::Deserializer;
use uuid::Uuid;

use super::corrupt;
use crate::domain::{
    ErrorKind, Execution, ExecutionError, ExecutionStatus, Job, JobId, JobStatus, JobSummary, Operation, OperationKind,
    ResultDocument, TimelineEntry, TimelineEvent,
};

/// The columns of [`summary`], in its order.
pub(super) const JOB: &str = "id, operation, data, target, status, timeout, created_at, started_at, finished_at, \
                              deadline_at, cancel_requested_at, created_by, retried_from";

/// Whole microseconds since 1970.
pub(in crate::adapters::queue) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The moment so many microseconds after 1970.
pub(in crate::adapters::queue) fn timestamp(micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| corrupt("a time out of range"))
}

/// A stored length of time.
pub(in crate::adapters::queue) fn duration(micros: i64) -> rusqlite::Result<Duration> {
    u64::try_from(micros).map(Duration::from_micros).map_err(|_| corrupt("a negative length of time"))
}

/// The id of these 16 bytes.
pub(in crate::adapters::queue) fn as_id(bytes: [u8; 16]) -> rusqlite::Result<JobId> {
    JobId::try_from(Uuid::from_bytes(bytes)).map_err(|_| corrupt("a job id that is none"))
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(timestamp).transpose()
}

/// A word of a closed set.
pub(in crate::adapters::queue) fn word<T>(
    row: &Row<'_>,
    column: usize,
    parse: fn(&str) -> Option<T>,
    what: &'static str,
) -> rusqlite::Result<T> {
    parse(row.get_ref(column)?.as_str()?).ok_or_else(|| corrupt(what))
}

/// Reads the columns of [`JOB`].
pub(super) fn summary(row: &Row<'_>) -> rusqlite::Result<JobSummary> {
    let kind = word(row, 1, |name| OperationKind::from_name(name).ok(), "an unknown operation")?;
    let data = match row.get_ref(2)? {
        ValueRef::Null => "{}",
        text => text.as_str()?,
    };
    let operation = Operation::deserialize(kind, &mut Deserializer::from_str(data))
        .map_err(|_| corrupt("an input that its operation does not take"))?;
    Ok(JobSummary {
        id: as_id(row.get(0)?)?,
        operation,
        target: word(row, 3, |text| text.parse().ok(), "a target that is none")?,
        status: word(row, 4, JobStatus::from_word, "an unknown status")?,
        timeout: duration(row.get(5)?)?,
        created_at: timestamp(row.get(6)?)?,
        started_at: optional_time(row, 7)?,
        finished_at: optional_time(row, 8)?,
        deadline_at: timestamp(row.get(9)?)?,
        cancel_requested_at: optional_time(row, 10)?,
        created_by: row.get(11)?,
        retried_from: row.get::<_, Option<[u8; 16]>>(12)?.map(as_id).transpose()?,
    })
}

/// The executions of a job, ordered by host.
fn executions(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<Execution>> {
    let mut statement = connection.prepare_cached(
        "SELECT worker, status, attempt, started_at, finished_at, result, error_kind, error_message, ran \
         FROM execution WHERE job_id = ?1 ORDER BY slot",
    )?;
    let rows = statement.query_map([id.as_uuid().as_bytes()], |row| {
        let worker: Option<String> = row.get(0)?;
        let kind = match row.get_ref(6)? {
            ValueRef::Null => None,
            _ => Some(word(row, 6, ErrorKind::from_word, "an unknown error")?),
        };
        let message: Option<String> = row.get(7)?;
        let result = row.get::<_, Option<String>>(5)?.map(ResultDocument::from_json).transpose();
        let error =
            kind.map(|kind| ExecutionError { kind, message: message.unwrap_or_else(|| kind.message().to_owned()) });
        Ok(Execution {
            worker: worker.map(|name| name.parse()).transpose().map_err(|_| corrupt("a hostname that is none"))?,
            status: word(row, 1, ExecutionStatus::from_word, "an unknown status")?,
            attempt: row.get(2)?,
            started_at: optional_time(row, 3)?,
            finished_at: optional_time(row, 4)?,
            duration: row.get::<_, Option<i64>>(8)?.map(duration).transpose()?,
            result: result.map_err(|_| corrupt("a result that is no JSON"))?,
            error,
        })
    })?;
    rows.collect()
}

/// A whole job.
pub(in crate::adapters::queue) fn job(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    let key = id.as_uuid();
    let mut statement = connection.prepare_cached(&format!("SELECT {JOB} FROM job WHERE id = ?1"))?;
    let Some(summary) = statement.query_row([key.as_bytes()], summary).optional()? else { return Ok(None) };
    let executions = executions(connection, id)?;
    let timeline = timeline(connection, &summary, &executions)?;
    Ok(Some(Job { summary, executions, timeline }))
}

/// What happened: mostly what the rows say, and the attempts before the last.
fn timeline(
    connection: &Connection,
    job: &JobSummary,
    executions: &[Execution],
) -> rusqlite::Result<Vec<TimelineEntry>> {
    let entry = |at, event| TimelineEntry { at, event, worker: None, message: None };
    let mut timeline = vec![entry(job.created_at, TimelineEvent::Created)];
    timeline.extend(job.cancel_requested_at.map(|at| entry(at, TimelineEvent::CancelRequested)));

    let mut statement =
        connection.prepare_cached("SELECT at, event, worker, message FROM event WHERE job_id = ?1 ORDER BY id")?;
    let id = job.id.as_uuid();
    let mut rows = statement.query([id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        timeline.push(TimelineEntry {
            at: timestamp(row.get(0)?)?,
            event: word(row, 1, TimelineEvent::from_word, "an unknown event")?,
            worker: row.get::<_, Option<String>>(2)?.and_then(|worker| worker.parse().ok()),
            message: row.get(3)?,
        });
    }
    for execution in executions {
        let worker = || execution.worker.clone();
        timeline.extend(
            execution.started_at.map(|at| TimelineEntry { worker: worker(), ..entry(at, TimelineEvent::Started) }),
        );
        if let (Some(at), Some(event)) = (execution.finished_at, end_of(execution.status)) {
            let message = execution.error.as_ref().map(|error| error.message.clone());
            timeline.push(TimelineEntry { worker: worker(), message, ..entry(at, event) });
        }
    }
    timeline.sort_by_key(|entry| entry.at);
    Ok(timeline)
}

const fn end_of(status: ExecutionStatus) -> Option<TimelineEvent> {
    match status {
        ExecutionStatus::Queued | ExecutionStatus::Running => None,
        ExecutionStatus::Completed => Some(TimelineEvent::Completed),
        ExecutionStatus::Failed => Some(TimelineEvent::Failed),
        ExecutionStatus::Cancelled => Some(TimelineEvent::Cancelled),
        ExecutionStatus::Expired => Some(TimelineEvent::Expired),
        ExecutionStatus::Lost => Some(TimelineEvent::Lost),
    }
}
