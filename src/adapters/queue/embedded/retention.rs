//! Removing what is over: terminal jobs by age, number and size, and idempotency records that are old enough.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use super::effects::{Effects, earliest};
use crate::{
    adapters::queue::{
        Retention,
        store::{Counters, Ended, micros},
    },
    domain::JobId,
    ports::driven::Deleted,
};

/// Removed in one transaction, so that nobody waits long for it.
const CHUNK: i64 = 200;
/// An idempotency record is kept at least so long, whatever becomes of its job.
const KEY_AGE: Duration = Duration::from_hours(24);
/// Sweeps are not closer together than this, unless there is more to remove.
const PAUSE: Duration = Duration::from_secs(1);

/// Removes some of what is over. Returns when there is more to do, in microseconds; none when nothing is kept that
/// could become old.
pub(super) fn sweep(
    connection: &Connection,
    now: Timestamp,
    retention: &Retention,
    counters: &Counters,
    effects: &mut Effects,
) -> rusqlite::Result<Option<i64>> {
    let oldest_kept = micros(now) - length(retention.age);
    let mut removed = remove_ended(connection, oldest_kept, CHUNK, effects)?;
    let over = counters.terminal() + ended_removed(effects) - limit(retention.max_jobs);
    if removed == 0 && over > 0 {
        removed = remove_ended(connection, i64::MAX, over.min(CHUNK), effects)?;
    }
    if removed == 0 && counters.bytes + effects.deltas.bytes > limit(retention.max_bytes) {
        removed = remove_ended(connection, i64::MAX, CHUNK / 4, effects)?;
    }
    let keys = length(retention.age.max(KEY_AGE));
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE (subject, key) IN \
             (SELECT subject, key FROM idempotency WHERE created_at <= ?1 LIMIT ?2)",
        )?
        .execute((micros(now) - keys, CHUNK))?;
    if removed > 0 || forgotten > 0 {
        return Ok(Some(micros(now)));
    }
    let first_end: Option<i64> = connection
        .prepare_cached("SELECT min(finished_at) FROM job WHERE finished_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    let first_key: Option<i64> =
        connection.prepare_cached("SELECT min(created_at) FROM idempotency")?.query_row([], |row| row.get(0))?;
    let next = earliest(
        first_end.map(|at| at.saturating_add(length(retention.age))),
        first_key.map(|at| at.saturating_add(keys)),
    );
    Ok(next.map(|at| at.max(micros(now) + length(PAUSE))))
}

/// Whether there is more than may be kept, whatever its age.
pub(super) fn over_limits(retention: &Retention, counters: &Counters) -> bool {
    let terminal = counters.terminal();
    terminal > limit(retention.max_jobs) || (terminal > 0 && counters.bytes > limit(retention.max_bytes))
}

/// Removes a job that somebody asked to remove.
pub(super) fn delete(connection: &Connection, id: JobId, effects: &mut Effects) -> rusqlite::Result<Deleted> {
    let Some(job) = Ended::find(connection, id)? else { return Ok(Deleted::NotFound) };
    if !job.status.is_terminal() {
        return Ok(Deleted::NotTerminal(job.status));
    }
    job.remove(connection, &mut effects.deltas)?;
    Ok(Deleted::Done)
}

/// Removes the jobs that ended first, of those that ended until then.
fn remove_ended(connection: &Connection, until: i64, at_most: i64, effects: &mut Effects) -> rusqlite::Result<usize> {
    let jobs = Ended::first(connection, until, at_most)?;
    for job in &jobs {
        job.remove(connection, &mut effects.deltas)?;
    }
    Ok(jobs.len())
}

/// What the effects say about jobs that were removed in this transaction: a negative number.
fn ended_removed(effects: &Effects) -> i64 {
    effects.deltas.terminal()
}

fn length(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn limit(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
