//! Removing what is over: terminal jobs by age, number and size, and idempotency records that are old enough.

use std::time::Duration;

use rusqlite::Connection;

use super::effects::{Effects, earliest};
use crate::{
    adapters::queue::{
        Retention,
        store::{Counters, Ended, LOG_BYTES, whole},
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

/// What decides about what is over.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) retention: &'a Retention,
    pub(super) counters: &'a Counters,
    /// Length of the write-ahead log.
    pub(super) log: u64,
}

impl Held<'_> {
    /// Bytes that the store takes, about: those of the records, and of a log that is longer than it should be.
    fn bytes(&self) -> i64 {
        self.counters.bytes.saturating_add(limit(self.log.saturating_sub(LOG_BYTES)))
    }

    /// Whether there is more than may be kept, whatever its age.
    pub(super) fn over_limits(&self) -> bool {
        let terminal = self.counters.terminal();
        terminal > limit(self.retention.max_jobs) || (terminal > 0 && self.bytes() > limit(self.retention.max_bytes))
    }
}

/// When a job that ends now becomes too old.
pub(super) fn too_old_at(now: i64, retention: &Retention) -> i64 {
    now.saturating_add(whole(retention.age.max(PAUSE)))
}

/// Removes some of what is over. Returns when there is more to do, in steady time; none when nothing is kept that could
/// become old.
pub(super) fn sweep(
    connection: &Connection,
    now: i64,
    held: Held<'_>,
    effects: &mut Effects,
) -> rusqlite::Result<Option<i64>> {
    let Held { retention, counters, .. } = held;
    let mut removed = remove_ended(connection, now.saturating_sub(whole(retention.age)), CHUNK, effects)?;
    let over = counters.terminal() + ended_removed(effects) - limit(retention.max_jobs);
    if removed == 0 && over > 0 {
        removed = remove_ended(connection, i64::MAX, over.min(CHUNK), effects)?;
    }
    if removed == 0 && held.bytes() + effects.deltas.bytes > limit(retention.max_bytes) {
        removed = remove_ended(connection, i64::MAX, CHUNK / 4, effects)?;
    }
    let keys = whole(retention.age.max(KEY_AGE));
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE (subject, key) IN \
             (SELECT subject, key FROM idempotency WHERE made <= ?1 LIMIT ?2)",
        )?
        .execute((now.saturating_sub(keys), CHUNK))?;
    if removed > 0 || forgotten > 0 {
        return Ok(Some(now));
    }
    let first_end: Option<i64> = connection
        .prepare_cached("SELECT min(ended) FROM job WHERE ended IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    let first_key: Option<i64> =
        connection.prepare_cached("SELECT min(made) FROM idempotency")?.query_row([], |row| row.get(0))?;
    let next = earliest(
        first_end.map(|at| at.saturating_add(whole(retention.age))),
        first_key.map(|at| at.saturating_add(keys)),
    );
    Ok(next.map(|at| at.max(now + whole(PAUSE))))
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

/// Removes the jobs that ended first, of those that ended until then, in steady time.
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

fn limit(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
