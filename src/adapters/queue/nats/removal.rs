//! Removing jobs: a record says so first, the ledger remembers what they were, and only then are they gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use rusqlite::Connection;

use super::{
    executions::{Executions, all},
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
    ports::driven::{QueueError, QueueErrorKind},
};

/// Jobs looked up at once, at most.
const CHUNK: i64 = 500;
/// Such chunks in one round, at most: between rounds there is other work to do.
const CHUNKS: usize = 8;

/// Removes what is kept no longer.
pub(super) struct Removals {
    retention: Retention,
    /// How long a removal stays visible, for processes that lag.
    visible: Duration,
    /// The last removal when this process began to wait, and when that was.
    waiting: Option<(u64, Instant)>,
    /// Jobs that the checkpoint remembers, and whose last traces could not be removed yet.
    unpurged: Vec<JobId>,
}

/// Marks a job as removed. Whether it was still there.
pub(super) async fn remove(executions: &Executions, id: JobId, status: JobStatus) -> Result<bool, QueueError> {
    let (link, subject) = (&executions.link, executions.link.names.job(id));
    let Some(stored) = link.state(&subject).await? else { return Ok(false) };
    let Some(JobEntry::Job(record)) = decode(&stored.payload) else { return Ok(false) };
    let at = executions.clock.now().as_microsecond();
    let removed = encode(&JobEntry::Removed(Removed { status: Some(status), at, key: record.key }));
    let mut written = link.write(&subject, removed.clone(), Some(stored.sequence)).await;
    if matches!(&written, Err(NotWritten::Failed(error)) if error.kind() == QueueErrorKind::StorageFull) {
        executions.ballast.release(link).await?;
        written = link.write(&subject, removed, Some(stored.sequence)).await;
    }
    match written {
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
        Self { retention, visible, waiting: None, unpurged: Vec::new() }
    }

    /// Removes some of what is kept no longer.
    pub(super) async fn sweep(
        &mut self,
        executions: &Arc<Executions>,
        replica: &Arc<Replica>,
    ) -> Result<(), QueueError> {
        executions.ballast.restore(&executions.link).await;
        for _ in 0..CHUNKS {
            let ended = self.over(executions, replica).await?;
            let more = i64::try_from(ended.len()).unwrap_or(i64::MAX) >= CHUNK;
            let removals =
                ended.into_iter().map(|job| async move { remove(executions, job.id, job.status).await.map(drop) });
            all(removals.map(FutureExt::boxed).collect()).await?;
            if !more {
                break;
            }
            // The next look must not find the same again.
            replica.progress.caught_up().await?;
        }
        self.forget(executions, replica).await
    }

    /// The first jobs that are kept no longer.
    async fn over(&self, executions: &Arc<Executions>, replica: &Arc<Replica>) -> Result<Vec<Ended>, QueueError> {
        let (retention, now) = (self.retention, executions.clock.now());
        let limit = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let over_age = micros(now).saturating_sub(i64::try_from(retention.age.as_micros()).unwrap_or(i64::MAX));
        replica
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
            .await
    }

    /// Takes removals that everybody has seen into the ledger's checkpoint, then removes their last traces.
    async fn forget(&mut self, executions: &Arc<Executions>, replica: &Arc<Replica>) -> Result<(), QueueError> {
        self.purge(executions).await?;
        let (waiting, since) = match self.waiting {
            Some(waiting) => waiting,
            None => match replica.readers.read(latest).await? {
                Some(latest) => *self.waiting.insert((latest, Instant::now())),
                None => return Ok(()),
            },
        };
        if since.elapsed() < self.visible {
            return Ok(());
        }
        for _ in 0..CHUNKS {
            let (through, old) = replica.readers.read(move |connection| up_to(connection, waiting)).await?;
            let Some(last) = old.last().map(|removal| removal.sequence) else {
                self.waiting = None;
                break;
            };
            if !self.remember(executions, through, last, &old).await? {
                // Somebody else was faster, and this process will see it.
                break;
            }
            self.unpurged.extend(old.into_iter().map(|removal| removal.id));
            self.purge(executions).await?;
            replica.progress.caught_up().await?;
        }
        Ok(())
    }

    /// Moves the checkpoint on over these removals. Whether nobody else did.
    async fn remember(
        &self,
        executions: &Arc<Executions>,
        through: u64,
        last: u64,
        removals: &[Pending],
    ) -> Result<bool, QueueError> {
        let link = &executions.link;
        let stored = link.state(&link.names.ledger()).await?;
        let sequence = stored.as_ref().map_or(0, |stored| stored.sequence);
        let known = stored.and_then(|stored| decode::<LedgerRecord>(&stored.payload)).unwrap_or_default();
        if known.through != through {
            return Ok(false);
        }
        let mut ledger = LedgerRecord { through: last, ..known };
        ledger.completed.resize(JobStatus::ALL.len(), 0);
        for removal in removals {
            ledger.created += 1;
            ledger.completed[removal.status.index()] += 1;
        }
        let keys = removals.iter().filter_map(|removal| removal.key.as_ref());
        all(keys.map(|key| remember_key(executions, key).boxed()).collect()).await?;
        match link.write(&link.names.ledger(), encode(&ledger), Some(sequence)).await {
            Ok(written) => {
                executions.wrote(written);
                Ok(true)
            }
            Err(NotWritten::Conflict) => Ok(false),
            Err(error) => Err(error.into_error()),
        }
    }

    /// Removes the last traces of jobs that the checkpoint remembers.
    async fn purge(&mut self, executions: &Arc<Executions>) -> Result<(), QueueError> {
        let link = &executions.link;
        all(self.unpurged.iter().map(|id| link.purge(link.names.all_of_job(*id)).boxed()).collect()).await?;
        self.unpurged.clear();
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

/// The last removal that the checkpoint does not remember.
fn latest(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    connection.prepare_cached("SELECT max(sequence) FROM removal")?.query_row([], |row| row.get(0))
}

/// The checkpoint's sequence, and the first removals after it, up to this one.
fn up_to(connection: &Connection, last: u64) -> rusqlite::Result<(u64, Vec<Pending>)> {
    let through = connection.prepare_cached("SELECT through FROM copy")?.query_row([], |row| row.get(0))?;
    let removals = connection
        .prepare_cached(
            "SELECT sequence, job_id, status, key FROM removal WHERE sequence <= ?1 ORDER BY sequence LIMIT ?2",
        )?
        .query_map((last, CHUNK), |row| {
            Ok(Pending {
                sequence: row.get(0)?,
                id: as_id(row.get(1)?)?,
                status: word(row, 2, JobStatus::from_word, "an unknown status")?,
                key: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok((through, removals))
}
