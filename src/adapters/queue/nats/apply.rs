//! Applies records of the state stream to the read model. Every record is absolute, so one that is skipped is not missed.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    follower::{Arrived, stored_at},
    link::Stored,
    names::{About, Names},
    origin::remember as remember_taken,
    record::{
        CancelRecord, DoneRecord, DrainingRecord, ExecutionRecord, JobEntry, JobRecord, LedgerRecord, Mark, Removed,
        decode,
    },
};
use crate::{
    adapters::queue::store::{Deltas, Ended, Moment, NewRows, SteadyTime, word},
    domain::{ErrorKind, ExecutionStatus, JobId, JobStatus, OperationKind, ResultDocument, Tally},
    ports::driven::Submission,
};

/// What applying records leads to, beside the rows.
#[derive(Default)]
pub(super) struct Applied {
    pub(super) deltas: Deltas,
    /// Jobs that are new.
    pub(super) created: Vec<JobId>,
    /// Jobs that ended or were removed.
    pub(super) ended: Vec<JobId>,
    /// Writes that are stored.
    pub(super) marks: Vec<Mark>,
    /// There are jobs about which something has to be written.
    pub(super) unsettled: bool,
    /// The copy lacks removals that exist no more: it must begin anew.
    pub(super) gap: bool,
}

/// The time of a copy: that of the server, and its own steady time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) server: i64,
    pub(super) steady: i64,
}

/// Applies records in their order, in one transaction. `stored` hears of the writes in it before anybody can see them.
pub(super) fn apply(
    connection: &mut Connection,
    names: &Names,
    records: &[Arrived],
    (now, time): (Now, &SteadyTime),
    stored: impl FnOnce(&[Mark]),
) -> rusqlite::Result<Applied> {
    let transaction = connection.transaction()?;
    let mut applied = Applied::default();
    let mut last_of: HashMap<&str, u64> = HashMap::with_capacity(records.len());
    last_of.extend(records.iter().map(|record| (record.stored.subject.as_str(), record.stored.sequence)));
    for Arrived { stored, age } in records {
        let record = Record { stored, latest: last_of[stored.subject.as_str()] == stored.sequence };
        one(&transaction, names, record, stored_at(now.steady, *age), &mut applied)?;
    }
    applied.deltas.save(&transaction)?;
    if let Some(last) = records.last() {
        transaction.prepare_cached("UPDATE copy SET applied = ?1, heard = ?2, steady = ?3")?.execute((
            last.stored.sequence,
            now.server,
            now.steady,
        ))?;
        remember_taken(&transaction, records.iter().map(|record| &record.stored))?;
    }
    time.save_sometimes(&transaction)?;
    stored(&applied.marks);
    if !applied.gap {
        transaction.commit()?;
    }
    Ok(applied)
}

/// A record to apply.
#[derive(Clone, Copy)]
struct Record<'a> {
    stored: &'a Stored,
    /// No later record of its subject is at hand.
    latest: bool,
}

/// Takes the ledger's checkpoint into an empty copy.
pub(super) fn start_from(connection: &mut Connection, checkpoint: &LedgerRecord) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut deltas = Deltas { created: checkpoint.created, ..Deltas::default() };
    for (total, at_checkpoint) in deltas.completed.iter_mut().zip(&checkpoint.completed) {
        *total = *at_checkpoint;
    }
    deltas.save(&transaction)?;
    transaction.execute("UPDATE copy SET through = ?1, removed = ?2", (checkpoint.through, checkpoint.created))?;
    transaction.commit()
}

/// Applies a record that was stored at this steady time.
fn one(
    connection: &Connection,
    names: &Names,
    Record { stored, latest }: Record<'_>,
    steady: i64,
    applied: &mut Applied,
) -> rusqlite::Result<()> {
    let unreadable = || tracing::error!(subject = stored.subject, "a record cannot be understood and is left out");
    match names.about(&stored.subject) {
        Some(About::Job(id)) => match decode::<JobEntry>(&stored.payload) {
            Some(JobEntry::Job(record)) => job(connection, &record, steady, applied)?,
            Some(JobEntry::Removed(removed)) => remove(connection, id, stored.sequence, &removed, applied)?,
            None => unreadable(),
        },
        Some(About::Execution(id, slot)) => match decode::<ExecutionRecord>(&stored.payload) {
            Some(record) => {
                applied.marks.push(record.mark);
                if latest {
                    execution(connection, (id, &slot), (stored.sequence, steady), &record, applied)?;
                }
            }
            None => unreadable(),
        },
        Some(About::Done(id)) => match decode::<DoneRecord>(&stored.payload) {
            Some(record) => {
                applied.marks.push(record.mark);
                settle(connection, id, Step { done: Some(&record), ..Step::at(steady) }, applied)?;
            }
            None => unreadable(),
        },
        Some(About::Cancel(id)) => match decode::<CancelRecord>(&stored.payload) {
            Some(record) => {
                let id_bytes = id.as_uuid();
                connection
                    .prepare_cached(
                        "UPDATE job SET cancel_requested_at = coalesce(cancel_requested_at, ?2) WHERE id = ?1",
                    )?
                    .execute((id_bytes.as_bytes(), record.at))?;
                settle(connection, id, Step::at(steady), applied)?;
            }
            None => unreadable(),
        },
        Some(About::Ledger) => match decode::<LedgerRecord>(&stored.payload) {
            Some(record) => applied.gap |= !checkpoint(connection, &record)?,
            None => unreadable(),
        },
        Some(About::Draining(host)) => {
            let draining = decode::<DrainingRecord>(&stored.payload).is_some_and(|record| record.draining);
            let sql = if draining {
                "INSERT INTO draining (hostname) VALUES (?1) ON CONFLICT DO NOTHING"
            } else {
                "DELETE FROM draining WHERE hostname = ?1"
            };
            connection.prepare_cached(sql)?.execute([host])?;
        }
        Some(About::Ballast) => {}
        None => tracing::debug!(subject = stored.subject, "a record of another version is left out"),
    }
    Ok(())
}

fn job(connection: &Connection, record: &JobRecord, steady: i64, applied: &mut Applied) -> rusqlite::Result<()> {
    applied.marks.push(record.mark);
    applied.created.push(record.id);
    if Ended::find(connection, record.id)?.is_some() {
        return Ok(());
    }
    let moment = Moment { at: record.created_at, steady };
    let submission = record.new_job().map(|job| Submission { job, effect: record.effect, idempotency: None });
    let rows = submission.and_then(|submission| NewRows::of(submission, moment).ok());
    let Some((rows, _)) = rows else {
        tracing::error!(job_id = %record.id, "a job cannot be understood and is left out");
        return Ok(());
    };
    rows.insert(connection)?;
    applied.deltas.add(&rows.deltas());
    Ok(())
}

fn execution(
    connection: &Connection,
    (id, slot): (JobId, &str),
    (sequence, steady): (u64, i64),
    record: &ExecutionRecord,
    applied: &mut Applied,
) -> rusqlite::Result<()> {
    let id_bytes = *id.as_uuid().as_bytes();
    let known = connection
        .prepare_cached(
            "SELECT id, status, coalesce(length(result), 0) + coalesce(length(error_message), 0) \
             FROM execution WHERE job_id = ?1 AND slot = ?2",
        )?
        .query_row((id_bytes, slot), |row| {
            let status = word(row, 1, ExecutionStatus::from_word, "an unknown status")?;
            Ok((row.get::<_, i64>(0)?, status, row.get::<_, i64>(2)?))
        })
        .optional()?;
    // An execution of a job that was removed.
    let Some((row, from, bytes)) = known else { return Ok(()) };
    let result = record.result.as_ref().map(ResultDocument::as_json);
    connection
        .prepare_cached(
            "UPDATE execution SET worker = ?2, status = ?3, attempt = ?4, token = ?5, cancel_requested = ?6, \
             started_at = ?7, finished_at = ?8, result = ?9, error_kind = ?10, error_message = ?11, sequence = ?12, \
             session = ?13, lease = ?14, ran = ?15, waits_since = ?16, \
             claimed = CASE WHEN ?3 = 'queued' THEN NULL WHEN ?3 = 'running' AND token IS NOT ?5 THEN ?16 \
             ELSE claimed END WHERE id = ?1",
        )?
        .execute(params![
            row,
            record.worker.as_ref().map(crate::domain::Hostname::as_str),
            record.status.as_str(),
            record.attempt,
            (record.status == ExecutionStatus::Running).then(|| record.token.unwrap_or(sequence).cast_signed()),
            record.cancel_requested,
            record.started_at,
            record.finished_at,
            result,
            record.error.map(ErrorKind::as_str),
            record.message,
            sequence.cast_signed(),
            record.session.as_ref().map(uuid::Uuid::as_bytes),
            record.lease.map(u64::cast_signed),
            record.ran.map(u64::cast_signed),
            steady,
        ])?;
    remember(connection, &id_bytes, slot, record)?;
    applied.deltas.depth +=
        i64::from(record.status == ExecutionStatus::Queued) - i64::from(from == ExecutionStatus::Queued);
    let length = result.map_or(0, str::len) + record.message.as_ref().map_or(0, String::len);
    let step = Step {
        done: None,
        grown: i64::try_from(length).unwrap_or(i64::MAX) - bytes,
        started_at: record.history.first().map(|past| past.at).or(record.started_at),
        finished_at: record.finished_at,
        steady,
    };
    settle(connection, id, step, applied)
}

/// Earlier attempts, as the record tells them.
fn remember(connection: &Connection, id: &[u8; 16], slot: &str, record: &ExecutionRecord) -> rusqlite::Result<()> {
    if record.history.is_empty() {
        return Ok(());
    }
    connection.prepare_cached("DELETE FROM event WHERE job_id = ?1 AND slot = ?2")?.execute((id, slot))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (job_id, at, event, worker, message, slot) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for past in &record.history {
        let worker = past.worker.as_ref().map(crate::domain::Hostname::as_str);
        insert.execute(params![id, past.at, past.event, worker, past.message, slot])?;
    }
    Ok(())
}

/// What a record says of its job.
#[derive(Clone, Copy)]
struct Step<'a> {
    /// It has ended.
    done: Option<&'a DoneRecord>,
    /// It takes so many more bytes.
    grown: i64,
    /// One of its executions was first started then.
    started_at: Option<i64>,
    /// That execution ended then.
    finished_at: Option<i64>,
    /// When it was stored, in steady time.
    steady: i64,
}

impl Step<'_> {
    /// A record that says nothing but that it was stored then.
    const fn at(steady: i64) -> Self {
        Self { done: None, grown: 0, started_at: None, finished_at: None, steady }
    }
}

/// Brings a job's row and the figures up to its executions, and says whether something about it has to be written.
fn settle(
    connection: &Connection,
    id: JobId,
    Step { done, grown, started_at, finished_at, steady }: Step<'_>,
    applied: &mut Applied,
) -> rusqlite::Result<()> {
    let id_bytes = *id.as_uuid().as_bytes();
    let known = connection
        .prepare_cached("SELECT operation, status, cancel_requested_at IS NOT NULL FROM job WHERE id = ?1")?
        .query_row([id_bytes], |row| {
            let operation = word(row, 0, |name| OperationKind::from_name(name).ok(), "an unknown operation")?;
            Ok((operation, word(row, 1, JobStatus::from_word, "an unknown status")?, row.get::<_, bool>(2)?))
        })
        .optional()?;
    let Some((operation, from, cancelled)) = known else { return Ok(()) };

    let mut tally = Tally::default();
    let mut unasked: u32 = 0;
    let mut counts = connection.prepare_cached(
        "SELECT status, count(*), sum(status IN ('queued', 'running') AND NOT cancel_requested) \
         FROM execution WHERE job_id = ?1 GROUP BY status",
    )?;
    let mut rows = counts.query([id_bytes])?;
    while let Some(row) = rows.next()? {
        tally.add(word(row, 0, ExecutionStatus::from_word, "an unknown status")?, row.get(1)?);
        unasked += row.get::<_, u32>(2)?;
    }
    let all_ended = tally.job_status().is_terminal();
    let status = match done {
        _ if from.is_terminal() => from,
        Some(done) => done.status,
        // The end of a job of several executions has a record of its own, which somebody has to write.
        None if all_ended && tally.total() > 1 => JobStatus::Running,
        None => tally.job_status(),
    };
    let unsettled = !status.is_terminal() && (all_ended || cancelled && unasked > 0);
    applied.unsettled |= unsettled;
    // Nobody has to write anything about one execution that nobody cancels.
    if tally.total() > 1 || cancelled {
        let sql = if unsettled {
            "INSERT INTO unsettled (job_id) VALUES (?1) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM unsettled WHERE job_id = ?1"
        };
        connection.prepare_cached(sql)?.execute([id_bytes])?;
    }

    let last_end = || -> rusqlite::Result<Option<i64>> {
        connection
            .prepare_cached("SELECT max(finished_at) FROM execution WHERE job_id = ?1")?
            .query_row([id_bytes], |row| row.get(0))
    };
    let finished_at = match done {
        Some(done) => Some(done.at),
        None if status.is_terminal() && tally.total() == 1 => finished_at,
        None if status.is_terminal() => last_end()?,
        None => None,
    };
    connection
        .prepare_cached(
            "UPDATE job SET status = ?2, finished_at = coalesce(finished_at, ?3), bytes = bytes + ?4, \
             started_at = coalesce(min(started_at, ?5), started_at, ?5), ended = coalesce(ended, ?6) WHERE id = ?1",
        )?
        .execute(params![
            id_bytes,
            status.as_str(),
            finished_at,
            grown,
            started_at,
            status.is_terminal().then_some(steady)
        ])?;
    applied.deltas.bytes += grown;
    if status != from {
        let figures = &mut applied.deltas.jobs[operation.index()];
        figures[from.index()] -= 1;
        figures[status.index()] += 1;
        if status.is_terminal() {
            applied.deltas.completed[status.index()] += 1;
            applied.ended.push(id);
        }
    }
    Ok(())
}

/// Removes a job. What it was in the ledger stays, also when the copy has never seen it.
fn remove(
    connection: &Connection,
    id: JobId,
    sequence: u64,
    removed: &Removed,
    applied: &mut Applied,
) -> rusqlite::Result<()> {
    applied.ended.push(id);
    let known = Ended::find(connection, id)?;
    if let Some(job) = &known {
        let waiting: i64 = connection
            .prepare_cached("SELECT count(*) FROM execution WHERE job_id = ?1 AND status = 'queued'")?
            .query_row([id.as_uuid().as_bytes()], |row| row.get(0))?;
        applied.deltas.depth -= waiting;
        job.remove(connection, &mut applied.deltas)?;
        connection.prepare_cached("DELETE FROM unsettled WHERE job_id = ?1")?.execute([id.as_uuid().as_bytes()])?;
    }
    let through: u64 = connection.prepare_cached("SELECT through FROM copy")?.query_row([], |row| row.get(0))?;
    if sequence <= through {
        return Ok(());
    }
    // One that never was is in no ledger, but has a record that has to be purged.
    if let Some(status) = removed.status {
        if known.is_none() {
            applied.deltas.created += 1;
        }
        if known.is_none_or(|job| !job.status.is_terminal()) {
            applied.deltas.completed[status.index()] += 1;
        }
    }
    let status = removed.status.map(JobStatus::as_str);
    connection
        .prepare_cached("INSERT INTO removal (sequence, job_id, status, at, key) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![sequence.cast_signed(), id.as_uuid().as_bytes(), status, removed.at, removed.key])?;
    Ok(())
}

/// Whether the copy has seen every removal up to the checkpoint: then it holds what the checkpoint says.
fn checkpoint(connection: &Connection, checkpoint: &LedgerRecord) -> rusqlite::Result<bool> {
    let (through, removed): (u64, i64) = connection
        .prepare_cached("SELECT through, removed FROM copy")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if checkpoint.through <= through {
        return Ok(true);
    }
    let since: i64 = connection
        .prepare_cached("SELECT count(status) FROM removal WHERE sequence <= ?1")?
        .query_row([checkpoint.through], |row| row.get(0))?;
    if removed + since != checkpoint.created {
        return Ok(false);
    }
    connection.prepare_cached("DELETE FROM removal WHERE sequence <= ?1")?.execute([checkpoint.through])?;
    connection
        .prepare_cached("UPDATE copy SET through = ?1, removed = ?2")?
        .execute((checkpoint.through, checkpoint.created))?;
    Ok(true)
}
