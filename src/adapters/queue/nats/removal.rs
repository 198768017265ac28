//! Removing jobs: a record says so first, the ledger remembers what they were, and only then are they gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    executions::Executions,
    link::NotWritten,
    record::{JobEntry, KeyRecord, LedgerRecord, Removed, decode, encode},
    replica::Replica,
};
use crate::{
    adapters::queue::{
        Retention,
        store::{Counters, Ended, as_id, micros, word},
    },
    domain::{JobId, JobStatus},
    ports::driven::QueueError,
};

/// Jobs removed in one round, at most.
const CHUNK: i64 = 200;

/// Removes what is kept no longer.
pub(super) struct Removals {
    retention: Retention,
    /// How long a removal stays visible, for processes that lag.
    visible: Duration,
    /// The last removal when this process began to wait, and when that was.
    waiting: Option<(u64, Instant)>,
}

/// Marks a job as removed. Whether it was still there.
pub(super) async fn remove(executions: &Executions, id: JobId, status: JobStatus) -> Result<bool, QueueError> {
    let (link, subject) = (&executions.link, executions.link.names.job(id));
    let Some(stored) = link.state(&subject).await? else { return Ok(false) };
    let Some(JobEntry::Job(record)) = decode(&stored.payload) else { return Ok(false) };
    let at = executions.clock.now().as_microsecond();
    let removed = encode(&JobEntry::Removed(Removed { status: Some(status), at, key: record.key }));
    match link.write(&subject, removed, Some(stored.sequence)).await {
        Ok(written) => {
            executions.wrote(written);
            Ok(true)
        }
        Err(NotWritten::Conflict) => Ok(false),
        Err(error) => Err(error.into_error()),
    }
}

/// A removal that the ledger does not remember yet.
struct Pending {
    sequence: u64,
    id: JobId,
    status: JobStatus,
    key: Option<String>,
}

impl Removals {
    pub(super) fn new(retention: Retention, visible: Duration) -> Self {
        Self { retention, visible, waiting: None }
    }

    /// Removes some of what is kept no longer.
    pub(super) async fn sweep(
        &mut self,
        executions: &Arc<Executions>,
        replica: &Arc<Replica>,
    ) -> Result<(), QueueError> {
        let (retention, now) = (self.retention, executions.clock.now());
        let limit = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let over_age = micros(now).saturating_sub(i64::try_from(retention.age.as_micros()).unwrap_or(i64::MAX));
        let ended = replica
            .readers
            .read(move |connection| {
                let old = Ended::first(connection, over_age, CHUNK)?;
                if !old.is_empty() {
                    return Ok(old);
                }
                let counters = Counters::load(connection)?;
                let surplus = counters.terminal() - limit(retention.max_jobs);
                if surplus > 0 {
                    return Ended::first(connection, i64::MAX, surplus.min(CHUNK));
                }
                if counters.terminal() > 0 && counters.bytes > limit(retention.max_bytes) {
                    return Ended::first(connection, i64::MAX, CHUNK / 4);
                }
                Ok(Vec::new())
            })
            .await?;
        for job in ended {
            remove(executions, job.id, job.status).await?;
        }
        self.forget(executions, replica).await
    }

    /// Takes removals that everybody has seen into the ledger's checkpoint, then removes their last traces.
    async fn forget(&mut self, executions: &Arc<Executions>, replica: &Arc<Replica>) -> Result<(), QueueError> {
        let (through, pending) = replica.readers.read(pending).await?;
        let Some(last) = pending.last().map(|removal| removal.sequence) else { return Ok(()) };
        let (waiting, since) = *self.waiting.get_or_insert((last, Instant::now()));
        if since.elapsed() < self.visible {
            return Ok(());
        }
        self.waiting = None;
        let old: Vec<Pending> = pending.into_iter().filter(|removal| removal.sequence <= waiting).collect();
        let Some(last) = old.last().map(|removal| removal.sequence) else { return Ok(()) };

        let link = &executions.link;
        let stored = link.state(&link.names.ledger()).await?;
        let sequence = stored.as_ref().map_or(0, |stored| stored.sequence);
        let known = stored.and_then(|stored| decode::<LedgerRecord>(&stored.payload)).unwrap_or_default();
        if known.through != through {
            // Somebody else was faster, and this process will see it.
            return Ok(());
        }
        let mut ledger = LedgerRecord { through: last, ..known };
        ledger.completed.resize(JobStatus::ALL.len(), 0);
        for removal in &old {
            ledger.created += 1;
            ledger.completed[removal.status.index()] += 1;
            if let Some(key) = &removal.key {
                remember_key(executions, key).await?;
            }
        }
        match link.write(&link.names.ledger(), encode(&ledger), Some(sequence)).await {
            Ok(written) => executions.wrote(written),
            Err(NotWritten::Conflict) => return Ok(()),
            Err(error) => return Err(error.into_error()),
        }
        for removal in old {
            link.purge(link.names.all_of_job(removal.id)).await?;
        }
        Ok(())
    }
}

/// A key outlives its job, and must not make it anew.
async fn remember_key(executions: &Executions, digest: &str) -> Result<(), QueueError> {
    let (link, subject) = (&executions.link, executions.link.names.key(digest));
    let Some(stored) = link.last(&link.streams.keys, &subject).await? else { return Ok(()) };
    let Some(key) = decode::<KeyRecord>(&stored.payload).filter(|key| !key.removed) else { return Ok(()) };
    match link.write(&subject, encode(&KeyRecord { removed: true, ..key }), Some(stored.sequence)).await {
        Ok(_) | Err(NotWritten::Conflict) => Ok(()),
        Err(error) => Err(error.into_error()),
    }
}

/// The checkpoint's sequence, and the first removals after it.
fn pending(connection: &rusqlite::Connection) -> rusqlite::Result<(u64, Vec<Pending>)> {
    let through = connection.prepare_cached("SELECT through FROM copy")?.query_row([], |row| row.get(0))?;
    let pending = connection
        .prepare_cached("SELECT sequence, job_id, status, key FROM removal ORDER BY sequence LIMIT 1000")?
        .query_map([], |row| {
            Ok(Pending {
                sequence: row.get(0)?,
                id: as_id(row.get(1)?)?,
                status: word(row, 2, JobStatus::from_word, "an unknown status")?,
                key: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok((through, pending))
}
