//! Removing jobs: a record says so first, and takes the place of all other records of the job at once. When every process
//! had time to see it, the ledger remembers what the job was, and the last record goes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use rusqlite::{Connection, types::ValueRef};

use super::{
    executions::{Executions, all},
    link::NotWritten,
    record::{JobEntry, KeyRecord, LedgerRecord, Removed, decode, encode},
    replica::Replica,
};
use crate::{
    adapters::queue::{
        Retention,
        store::{Counters, Ended, as_id, whole, word},
    },
    domain::{JobId, JobStatus},
    ports::driven::{QueueError, QueueErrorKind},
};

/// Jobs looked up at once, at most.
const CHUNK: i64 = 500;
/// Such chunks in one round, at most: between rounds there is other work to do.
const CHUNKS: usize = 8;
/// A process that has moved the checkpoint purges the last records of those jobs. Others do it when that takes so long.
const PURGED: Duration = Duration::from_secs(10);
/// How often it is looked up whether a process has left that undone.
const LOOK: Duration = Duration::from_secs(5);

/// Removes what is kept no longer.
pub(super) struct Removals {
    retention: Retention,
    /// How long a removal stays visible, for processes that lag.
    visible: Duration,
    /// The last removal when this process began to wait, and when that was.
    waiting: Option<(u64, Instant)>,
    /// The checkpoint that says that records are being purged, and since when this process knows it.
    purging: Option<(u64, Instant)>,
    looked_at_ledger: Option<Instant>,
}

/// Marks a job as removed. Whether it was still there.
pub(super) async fn remove(executions: &Executions, id: JobId, status: JobStatus) -> Result<bool, QueueError> {
    let (link, subject) = (&executions.link, executions.link.names.job(id));
    let Some(stored) = link.state(&subject).await? else { return Ok(false) };
    let Some(JobEntry::Job(record)) = decode(&stored.payload) else { return Ok(false) };
    let at = executions.link.time.now();
    let removed = encode(&JobEntry::Removed(Removed { status: Some(status), at, key: record.key }));
    let mut written = link.write(&subject, removed.clone(), Some(stored.sequence)).await;
    if matches!(&written, Err(NotWritten::Failed(error)) if error.kind() == QueueErrorKind::StorageFull) {
        executions.ballast.release(link).await?;
        written = link.write(&subject, removed, Some(stored.sequence)).await;
    }
    match written {
        Ok(written) => {
            executions.wrote(written);
            // What is left when this fails goes with the last record.
            if let Err(error) = link.purge_before(link.names.all_of_job(id), written).await {
                tracing::debug!(%error, job_id = %id, "the records of a removed job stay for now");
            }
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
    /// None for a job that was never stored.
    status: Option<JobStatus>,
    key: Option<String>,
}

impl Removals {
    pub(super) fn new(retention: Retention, visible: Duration) -> Self {
        Self { retention, visible, waiting: None, purging: None, looked_at_ledger: None }
    }

    /// Removes some of what is kept no longer.
    pub(super) async fn sweep(
        &mut self,
        executions: &Arc<Executions>,
        replica: &Arc<Replica>,
    ) -> Result<(), QueueError> {
        executions.ballast.restore(&executions.link).await;
        for _ in 0..CHUNKS {
            let ended = self.over(replica).await?;
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
    async fn over(&self, replica: &Arc<Replica>) -> Result<Vec<Ended>, QueueError> {
        let (retention, now) = (self.retention, replica.time.now());
        let limit = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let over_age = now.saturating_sub(whole(retention.age));
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

    /// Takes removals that every process had time to see into the ledger's checkpoint, then purges their last records.
    async fn forget(&mut self, executions: &Arc<Executions>, replica: &Arc<Replica>) -> Result<(), QueueError> {
        self.finish_purge(executions).await?;
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
            let Some(checkpoint) = remember(executions, through, last, &old).await? else {
                // Another process was faster, and this one will see it.
                break;
            };
            purge(executions, checkpoint).await?;
            replica.progress.caught_up().await?;
        }
        Ok(())
    }

    /// Purges what a process has left that moved the checkpoint and ended.
    async fn finish_purge(&mut self, executions: &Executions) -> Result<(), QueueError> {
        if self.looked_at_ledger.is_some_and(|at| at.elapsed() < LOOK) {
            return Ok(());
        }
        self.looked_at_ledger = Some(Instant::now());
        let checkpoint = checkpoint(executions).await?;
        if checkpoint.ledger.purging.is_empty() {
            self.purging = None;
            return Ok(());
        }
        let known = self.purging.filter(|(sequence, _)| *sequence == checkpoint.sequence);
        let (_, since) = *self.purging.insert(known.unwrap_or((checkpoint.sequence, Instant::now())));
        if since.elapsed() >= PURGED { purge(executions, checkpoint).await } else { Ok(()) }
    }
}

/// The ledger's checkpoint, as it is stored.
struct Checkpoint {
    sequence: u64,
    ledger: LedgerRecord,
}

async fn checkpoint(executions: &Executions) -> Result<Checkpoint, QueueError> {
    let link = &executions.link;
    let stored = link.state(&link.names.ledger()).await?;
    let sequence = stored.as_ref().map_or(0, |stored| stored.sequence);
    let ledger = stored.and_then(|stored| decode::<LedgerRecord>(&stored.payload)).unwrap_or_default();
    Ok(Checkpoint { sequence, ledger })
}

/// Moves the checkpoint on over these removals. None when another process did it.
async fn remember(
    executions: &Executions,
    through: u64,
    last: u64,
    removals: &[Pending],
) -> Result<Option<Checkpoint>, QueueError> {
    let link = &executions.link;
    let known = checkpoint(executions).await?;
    if known.ledger.through != through {
        return Ok(None);
    }
    // Those of the checkpoint before would be forgotten.
    purge_all(executions, &known.ledger.purging).await?;
    let purging = removals.iter().map(|removal| removal.id).collect();
    let mut ledger = LedgerRecord { through: last, purging, ..known.ledger };
    ledger.completed.resize(JobStatus::ALL.len(), 0);
    for status in removals.iter().filter_map(|removal| removal.status) {
        ledger.created += 1;
        ledger.completed[status.index()] += 1;
    }
    let stored = removals.iter().filter(|removal| removal.status.is_some());
    let keys = stored.filter_map(|removal| removal.key.as_ref());
    all(keys.map(|key| remember_key(executions, key).boxed()).collect()).await?;
    match link.write(&link.names.ledger(), encode(&ledger), Some(known.sequence)).await {
        Ok(sequence) => {
            executions.wrote(sequence);
            Ok(Some(Checkpoint { sequence, ledger }))
        }
        Err(NotWritten::Conflict) => Ok(None),
        Err(error) => Err(error.into_error()),
    }
}

/// Purges the last records of the jobs that a checkpoint has just taken in, and says so in it.
async fn purge(executions: &Executions, checkpoint: Checkpoint) -> Result<(), QueueError> {
    let Checkpoint { sequence, ledger } = checkpoint;
    purge_all(executions, &ledger.purging).await?;
    let link = &executions.link;
    let done = encode(&LedgerRecord { purging: Vec::new(), ..ledger });
    match link.write(&link.names.ledger(), done, Some(sequence)).await {
        Ok(written) => executions.wrote(written),
        // Another process has gone on from it, and purged them too.
        Err(NotWritten::Conflict) => {}
        Err(error) => return Err(error.into_error()),
    }
    Ok(())
}

async fn purge_all(executions: &Executions, ids: &[JobId]) -> Result<(), QueueError> {
    let link = &executions.link;
    all(ids.iter().map(|id| link.purge(link.names.all_of_job(*id)).boxed()).collect()).await
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
                status: match row.get_ref(2)? {
                    ValueRef::Null => None,
                    _ => Some(word(row, 2, JobStatus::from_word, "an unknown status")?),
                },
                key: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok((through, removals))
}
