//! What a process with a read model does by itself: deadlines, lost leases, ends of jobs, lost hints, retention.
//!
//! Every such process does all of it. Whoever's compare-and-set wins has done it; the others notice and go on.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use rusqlite::Connection;
use tokio::{
    sync::{OwnedRwLockReadGuard, RwLock, mpsc, oneshot},
    time::sleep,
};

use super::{
    change::Detail,
    due::{Row, Which},
    executions::{Executions, all},
    fleet::Fleet,
    link::{NotWritten, unavailable},
    lost_hints::{LostHints, NO_HINT},
    record::{DoneRecord, WorkerRecord, decode, encode},
    removal::Removals,
    replica::Replica,
};
use crate::{
    adapters::queue::store::{self, between},
    domain::{ExecutionEvent, ExecutionStatus, Hostname, Job, JobId, Tally},
    ports::{
        driven::{ClaimToken, QueueError},
        driving::JobEvent,
    },
};

/// Changes in one round, at most.
const AT_MOST: u32 = 500;
/// Rounds are not closer together than this unless somebody asks.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the last claims of a process may be on their way here after its successor has come.
const TAKEN_OVER: Duration = Duration::from_secs(3);
/// Something may be due after this long at the latest.
const ROUND: Duration = Duration::from_secs(1);
/// How often it is looked up whether the streams are still there.
const STREAMS: Duration = Duration::from_secs(3);

/// Somebody who wants to know that a round was made.
pub(super) type Poke = oneshot::Sender<Result<(), QueueError>>;

/// Does what is due.
pub(super) struct Upkeep {
    pub(super) executions: Arc<Executions>,
    pub(super) replica: Arc<Replica>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) lease: Duration,
    pub(super) removals: Removals,
    pub(super) pokes: mpsc::UnboundedReceiver<Poke>,
    /// Held while a round is made, so that closing waits for it.
    pub(super) open: Arc<RwLock<bool>>,
    pub(super) watched: Watched,
}

/// What has to be seen for a while before something is done about it.
#[derive(Default)]
pub(super) struct Watched {
    /// Runs of other processes, by row: their token, and since when this process has known it.
    runs: HashMap<i64, (u64, Instant)>,
    looked_at_runs: Option<Instant>,
    hints: LostHints,
    looked_at_hints: Option<Instant>,
    looked_at_age: Option<Instant>,
    looked_at_streams: Option<Instant>,
}

impl Upkeep {
    /// Works until it is aborted.
    pub(super) async fn work(&mut self) {
        loop {
            let poke = tokio::select! {
                poke = self.pokes.recv() => match poke { Some(poke) => Some(poke), None => return },
                () = self.replica.changed.notified() => None,
                () = sleep(ROUND) => None,
            };
            let Some(guard) = self.guard().await else { return };
            let made = self.round(poke.is_some()).await;
            drop(guard);
            if let Err(error) = &made {
                tracing::debug!(error = error as &dyn std::error::Error, "not everything that is due could be done");
            }
            match poke {
                // Whoever asked may have stopped waiting.
                Some(poke) => drop(poke.send(made)),
                None => sleep(PAUSE).await,
            }
        }
    }

    async fn guard(&self) -> Option<OwnedRwLockReadGuard<bool>> {
        Some(Arc::clone(&self.open).read_owned().await).filter(|open| **open)
    }

    async fn round(&mut self, asked: bool) -> Result<(), QueueError> {
        if !self.executions.link.is_up() {
            return Err(unavailable("the queue is not ready"));
        }
        if is_due(&mut self.watched.looked_at_streams, STREAMS) {
            self.executions.link.restore_streams().await?;
        }
        if !self.replica.progress.is_ready() || !self.fleet.progress.is_ready() {
            return Err(unavailable("the queue is not ready"));
        }
        if asked {
            self.fleet.progress.caught_up().await?;
            self.replica.progress.caught_up().await?;
        }
        self.take_overs().await?;
        self.deadlines().await?;
        self.settle().await?;
        if asked || is_due(&mut self.watched.looked_at_runs, self.lease / 16) {
            self.lost_leases().await?;
        }
        if is_due(&mut self.watched.looked_at_hints, NO_HINT / 3) {
            self.watched.hints.look(&self.executions, &self.replica, &self.fleet).await?;
        }
        if is_due(&mut self.watched.looked_at_age, ROUND) {
            self.removals.sweep(&self.executions, &self.replica).await?;
        }
        Ok(())
    }

    async fn rows(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<Vec<Row>> + Send + 'static,
    ) -> Result<Vec<Row>, QueueError> {
        self.replica.readers.read(query).await
    }

    /// Runs of processes whose host has a new one. Looked for several times: the stream of workers may be ahead of that of
    /// jobs, and the last claims of the old process come here later than its successor.
    async fn take_overs(&self) -> Result<(), QueueError> {
        let hosts = self.fleet.taken_over();
        if hosts.is_empty() {
            return Ok(());
        }
        let mut running = self.rows(|connection| Which::Running.read(connection, [])).await?;
        for (host, session, since) in hosts {
            let is_old = |row: &mut Row| row.worker.as_deref() == Some(host.as_str()) && row.session != Some(session);
            let old: Vec<Row> = running.extract_if(.., is_old).collect();
            if !old.is_empty() {
                self.vanish(&host, session, old).await?;
            }
            if since.elapsed() >= TAKEN_OVER {
                self.fleet.settled(&host, session);
            }
        }
        Ok(())
    }

    async fn vanish(&self, host: &Hostname, session: uuid::Uuid, old: Vec<Row>) -> Result<(), QueueError> {
        // The other way round, the stream of jobs may be ahead: a still newer process may run these.
        let link = &self.executions.link;
        let holder = link.last(&link.streams.workers, &link.names.worker(host)).await?;
        let holder = holder.and_then(|stored| decode::<WorkerRecord>(&stored.payload));
        if holder.is_some_and(|holder| holder.session != session) {
            return Ok(());
        }
        tracing::warn!(worker = %host, executions = old.len(), "a worker came back while these ran");
        self.apply(old, ExecutionEvent::WorkerVanished).await
    }

    /// What waits beyond its deadline.
    async fn deadlines(&self) -> Result<(), QueueError> {
        let now = self.replica.time.now();
        let late = self.rows(move |connection| Which::Late.read(connection, (now, AT_MOST))).await?;
        self.apply(late, ExecutionEvent::DeadlinePassed).await
    }

    /// Applies an event to executions, as far as they are still what the rows say.
    async fn apply(&self, rows: Vec<Row>, event: ExecutionEvent) -> Result<(), QueueError> {
        all(rows.into_iter().map(|row| self.apply_one(row, event).boxed()).collect()).await
    }

    async fn apply_one(&self, row: Row, event: ExecutionEvent) -> Result<(), QueueError> {
        let Some(job) = self.executions.job(row.job_id).await? else { return Ok(()) };
        let meant = |record: &super::record::ExecutionRecord, sequence| match row.token {
            Some(token) => {
                record.status == ExecutionStatus::Running
                    && super::executions::token_of(record, sequence) == ClaimToken(token)
            }
            None => record.status == ExecutionStatus::Queued,
        };
        self.executions.apply(&job, &row.slot, None, event, self.detail(&row), meant).await.map(drop)
    }

    /// What the copy knows about the times of an execution.
    fn detail(&self, row: &Row) -> Detail<'static> {
        let now = self.replica.time.now();
        Detail {
            ran: row.claimed.map(|claimed| between(claimed, now)),
            since_acceptance: between(row.accepted, now),
            time_left: Some(between(now, row.expires)),
            ..Detail::default()
        }
    }

    /// Ends of jobs of several executions, and cancellations that have not reached every execution.
    async fn settle(&self) -> Result<(), QueueError> {
        let jobs: Vec<(Job, i64)> = self
            .replica
            .readers
            .read(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT job_id, accepted FROM unsettled JOIN job ON job.id = job_id LIMIT ?1")?;
                let found = statement.query_map([AT_MOST], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let found: Vec<([u8; 16], i64)> = found.collect::<rusqlite::Result<_>>()?;
                let jobs = found
                    .into_iter()
                    .map(|(id, accepted)| Ok(store::job(connection, store::as_id(id)?)?.map(|job| (job, accepted))));
                jobs.filter_map(Result::transpose).collect()
            })
            .await?;
        all(jobs.iter().map(|(job, accepted)| self.settle_one(job, *accepted).boxed()).collect()).await
    }

    async fn settle_one(&self, job: &Job, accepted: i64) -> Result<(), QueueError> {
        let tally: Tally = job.executions.iter().map(|execution| execution.status).collect();
        if tally.job_status().is_terminal() {
            return self.end(job, accepted, tally).await;
        }
        self.cancel_open(job.summary.id).await
    }

    /// Writes the end of a job that was accepted at this steady time.
    async fn end(&self, job: &Job, accepted: i64, tally: Tally) -> Result<(), QueueError> {
        let executions = &self.executions;
        let mark = executions.reports.mark();
        let last = job.executions.iter().filter_map(|execution| execution.finished_at).max();
        let at = last.unwrap_or(job.summary.created_at);
        let (status, end_to_end) = (tally.job_status(), self.replica.time.since(accepted));
        let completed = JobEvent::Completed { operation: job.summary.kind(), status, end_to_end };
        executions.reports.expect(mark, vec![completed]);
        let done = encode(&DoneRecord { status, at: at.as_microsecond(), mark });
        match executions.link.write(&executions.link.names.done(job.summary.id), done, Some(0)).await {
            Ok(written) => {
                executions.reports.stored(mark);
                executions.wrote(written);
                Ok(())
            }
            Err(NotWritten::Conflict) => {
                executions.reports.refused(mark);
                Ok(())
            }
            Err(NotWritten::Failed(error)) => {
                executions.reports.refused(mark);
                Err(error)
            }
            Err(NotWritten::Uncertain(error)) => Err(error),
        }
    }

    /// Asks every execution of a job that has not been asked to stop.
    async fn cancel_open(&self, id: JobId) -> Result<(), QueueError> {
        let open = self.rows(move |connection| Which::OpenOf.read(connection, [id.as_uuid().as_bytes()])).await?;
        cancel(&self.executions, &self.replica, open).await
    }

    /// Runs whose process has given no sign of life for a lease.
    async fn lost_leases(&mut self) -> Result<(), QueueError> {
        let own = self.executions.session;
        let rows = self.rows(|connection| Which::Running.read(connection, [])).await?;
        let others: Vec<Row> = rows.into_iter().filter(|row| row.session != Some(own)).collect();
        let (now, steady) = (Instant::now(), self.replica.time.now());
        let up_since = self.executions.link.up_since().unwrap_or(now);
        let mut runs = HashMap::with_capacity(others.len());
        let (mut silent, mut vanished) = (Vec::new(), Vec::new());
        for row in others {
            let Some(token) = row.token else { continue };
            let known = self.watched.runs.get(&row.id).filter(|(known, _)| *known == token);
            let since = known.map_or(now, |(_, since)| *since);
            runs.insert(row.id, (token, since));
            let beat = row.session.and_then(|session| self.fleet.beat(session));
            // While this process was away it could hear nobody.
            let heard = beat.map_or(since, |(_, at)| at.max(since)).max(up_since);
            // An eighth more: the worker gives up first.
            let lease = row.lease.unwrap_or(self.lease);
            let patience = lease + lease / 8;
            // No renewal goes beyond one lease after the deadline, whatever the process says.
            if between(row.expires, steady) >= patience {
                vanished.push(row);
            } else if heard.elapsed() >= patience {
                silent.push(row);
            }
        }
        self.watched.runs = runs;
        for row in silent {
            if !self.has_beaten(&row).await? {
                vanished.push(row);
            }
        }
        if let Some(first) = vanished.first() {
            let (job_id, executions) = (first.job_id, vanished.len());
            tracing::warn!(%job_id, executions, "leases ended without a word from their workers");
        }
        self.apply(vanished, ExecutionEvent::WorkerVanished).await
    }

    /// Whether there is a sign of life that has not come here: this process may be the one that was away.
    async fn has_beaten(&self, row: &Row) -> Result<bool, QueueError> {
        let Some(session) = row.session else { return Ok(false) };
        let link = &self.executions.link;
        let stored = link.last(&link.streams.workers, &link.names.beat(session)).await?;
        let known = self.fleet.beat(session).map(|(sequence, _)| sequence);
        match stored.map(|stored| stored.sequence) {
            Some(sequence) if Some(sequence) != known => {
                self.fleet.heard(session, sequence);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// Asks these executions to stop.
pub(super) async fn cancel(executions: &Executions, replica: &Replica, open: Vec<Row>) -> Result<(), QueueError> {
    for row in open {
        let Some(job) = executions.job(row.job_id).await? else { continue };
        let meant =
            |record: &super::record::ExecutionRecord, _| !record.status.is_terminal() && !record.cancel_requested;
        let event = ExecutionEvent::CancelRequested;
        let since_acceptance = replica.time.since(row.accepted);
        let detail = Detail { since_acceptance, ..Detail::default() };
        executions.apply(&job, &row.slot, None, event, detail, meant).await?;
    }
    Ok(())
}

/// Whether so much time has passed since the last time that it was due.
fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}
