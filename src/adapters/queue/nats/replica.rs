//! Keeps the read model up to the state stream: report → commit → wake, for what this process wrote as for what others did.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension};
use tokio::{sync::Notify, task::spawn_blocking, time::timeout};

use super::{
    apply::{Applied, Now, apply, start_from},
    connect_error::ConnectError,
    follower::{Arrived, Sink},
    link::{Link, unavailable},
    model::{Model, empty},
    origin::Origin,
    progress::Progress,
    record::{LedgerRecord, decode},
    reports::Reports,
    standing::Standing,
};
use crate::{
    adapters::queue::{
        store::{self, Counters, Occupation, Readers, SteadyTime, StoreFiles, failure},
        waiters::Waiters,
    },
    domain::{Job, JobId},
    ports::driven::{Clock, MetricsPort, QueueError},
};

/// How old an answer about hosts may be.
const MOMENT: Duration = Duration::from_millis(20);
/// A copy whose next record was stored longer ago than this is too far behind to be shown.
const BEHIND: Duration = Duration::from_secs(2);
/// A copy that does not follow is warned about no more often than this.
const WARN_AGAIN: Duration = Duration::from_mins(1);

/// The copy, as readers see it.
pub(super) struct Replica {
    pub(super) readers: Readers,
    pub(super) progress: Progress,
    pub(super) waiters: Waiters,
    /// Something changed about which somebody may have to act.
    pub(super) changed: Arc<Notify>,
    /// The copy's steady time.
    pub(super) time: SteadyTime,
    /// Executions that wait.
    depth: AtomicI64,
    /// Jobs that this process is storing and that the copy does not have yet, with how many executions each.
    adding: Mutex<HashMap<JobId, i64>>,
    /// What was last read of hosts, and when.
    occupation: Mutex<Option<(Instant, Arc<Occupation>)>>,
    lock: Mutex<Option<File>>,
}

impl Replica {
    /// Opens the copy; the files are for the one who applies.
    pub(super) fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<(Arc<Self>, Copy), ConnectError> {
        let Model { connection, files, lock } = Model::open(directory)?;
        let unusable =
            |source: io::Error| ConnectError::Model { path: directory.to_owned(), detail: source.to_string() };
        let time = SteadyTime::open(&connection, clock).map_err(|error| unusable(io::Error::other(error)))?;
        let replica = Self {
            readers: Readers::start(&files).map_err(unusable)?,
            time,
            progress: Progress::new(),
            waiters: Waiters::default(),
            changed: Arc::new(Notify::new()),
            depth: AtomicI64::new(0),
            adding: Mutex::default(),
            occupation: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        Ok((Arc::new(replica), Copy { connection: Some(connection), files }))
    }

    /// Reads what this process and all before it wrote.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.progress.caught_up().await?;
        self.readers.read(query).await
    }

    /// A job. One that this copy does not have yet is looked up at the server first.
    pub(super) async fn job(&self, link: &Link, id: JobId) -> Result<Option<Job>, QueueError> {
        let known = self.read(move |connection| store::job(connection, id)).await?;
        if known.is_some() {
            return Ok(known);
        }
        match link.state(&link.names.job(id)).await? {
            Some(stored) => {
                self.progress.wrote(stored.sequence);
                self.read(move |connection| store::job(connection, id)).await
            }
            None => Ok(None),
        }
    }

    /// What the copy says of hosts, or said a moment ago: every submission asks.
    pub(super) async fn occupation(&self) -> Result<Arc<Occupation>, QueueError> {
        let known = self.occupation.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, known)) = known.filter(|(at, _)| at.elapsed() < MOMENT) {
            return Ok(known);
        }
        let asked = Instant::now();
        let read = Arc::new(self.readers.read(store::occupation).await?);
        *self.occupation.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, Arc::clone(&read)));
        Ok(read)
    }

    /// The next question about hosts is asked anew.
    pub(super) fn look_again(&self) {
        self.occupation.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether no more than `max` executions wait when a job with so many of them is added.
    pub(super) fn has_room(&self, executions: i64, max: i64) -> bool {
        let adding: i64 = self.adding().values().sum();
        (self.depth.load(Ordering::Relaxed) + adding).saturating_add(executions) <= max
    }

    /// Counts a job that is about to be stored, with so many executions, if there is room for it.
    ///
    /// What this process stores is counted at once. What others store counts when it has come to the copy: together, `n`
    /// processes exceed `max` by what `n - 1` of them accept in that time.
    pub(super) fn make_room(&self, id: JobId, executions: i64, max: i64) -> bool {
        let mut adding = self.adding();
        let others: i64 = adding.iter().filter(|(other, _)| **other != id).map(|(_, executions)| executions).sum();
        let fits = self.depth.load(Ordering::Relaxed) + others + executions <= max;
        if fits {
            adding.insert(id, executions);
        }
        fits
    }

    fn adding(&self) -> MutexGuard<'_, HashMap<JobId, i64>> {
        // Every change is complete in itself.
        self.adding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job was not stored, or has come to the copy.
    pub(super) fn is_added(&self, id: JobId) {
        self.adding().remove(&id);
    }

    /// Gives the directory back. Blocks until running reads have ended.
    pub(super) fn close(&self) {
        self.readers.close();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The files of a copy, for the one who applies.
pub(super) struct Copy {
    /// None while a change is being made.
    connection: Option<Connection>,
    files: StoreFiles,
}

/// Applies what the stream brings.
pub(super) struct Applier {
    copy: Copy,
    identity: String,
    link: Arc<Link>,
    replica: Arc<Replica>,
    reports: Arc<Reports>,
    metrics: Arc<dyn MetricsPort>,
    /// When it was last said that the copy does not follow.
    warned: Option<Instant>,
    /// The last record that was applied.
    applied: u64,
    /// Whether the server was asked how long this host was off.
    bounded: bool,
}

impl Applier {
    pub(super) fn new(
        copy: Copy,
        link: Arc<Link>,
        replica: Arc<Replica>,
        reports: Arc<Reports>,
        metrics: Arc<dyn MetricsPort>,
    ) -> Self {
        Self {
            copy,
            identity: String::new(),
            link,
            replica,
            reports,
            metrics,
            warned: None,
            applied: 0,
            bounded: false,
        }
    }

    /// Works on the connection on a thread that may block.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.copy.files.check()?;
        let mut connection = match self.copy.connection.take() {
            Some(connection) => connection,
            // The one before was lost with a change that panicked.
            None => super::model::open(self.copy.files.path()).map_err(failure)?,
        };
        let worked = spawn_blocking(move || {
            let done = work(&mut connection);
            (connection, done)
        });
        let (connection, done) = worked.await.map_err(|_| unavailable("a change of the read model was cut short"))?;
        self.copy.connection = Some(connection);
        done.map_err(failure)
    }

    fn publish(&self, applied: Applied) {
        self.replica.depth.fetch_add(applied.deltas.depth, Ordering::Relaxed);
        applied.created.into_iter().for_each(|id| self.replica.is_added(id));
        for id in applied.ended {
            let waiters = self.replica.waiters.take(id);
            if !waiters.is_empty() {
                self.replica.readers.tell(id, waiters);
            }
        }
        if applied.unsettled {
            self.replica.changed.notify_one();
        }
    }

    fn warn(&mut self, reason: &str) {
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
            self.warned = Some(Instant::now());
            tracing::warn!(reason, "this process's copy of the jobs does not follow the queue, reads are refused");
        }
    }

    fn follows(&mut self) {
        if self.warned.take().is_some() {
            tracing::info!("this process's copy of the jobs follows the queue again");
        }
    }

    /// Begins the copy anew, from the ledger's checkpoint.
    async fn begin_anew(&mut self) -> Result<(), QueueError> {
        self.replica.progress.begins_anew();
        self.replica.waiters.forget_accepted();
        let identity = self.identity.clone();
        self.with(move |connection| empty(connection, &identity)).await?;
        if let Some(stored) = self.link.state(&self.link.names.ledger()).await?
            && let Some(checkpoint) = decode::<LedgerRecord>(&stored.payload)
        {
            self.with(move |connection| start_from(connection, &checkpoint)).await?;
        }
        Ok(())
    }

    /// What the server knows of the time since this copy was last changed, the time of day of this host does not decide.
    async fn bound_time(&mut self) -> Result<(), QueueError> {
        let known = self
            .with(|connection| {
                let known = "SELECT heard, steady FROM copy WHERE heard IS NOT NULL AND steady IS NOT NULL";
                connection.query_row(known, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .await?;
        if let Some((heard, steady)) = known {
            self.replica.time.is_not_after(stored_after(steady, self.link.time.age(heard)));
        }
        Ok(())
    }
}

/// Makes a change, and lets readers know when it takes long.
async fn known_to_take_long<T>(
    progress: &Progress,
    change: impl Future<Output = Result<T, QueueError>>,
) -> Result<T, QueueError> {
    let mut change = pin!(change);
    if let Ok(done) = timeout(BEHIND, &mut change).await {
        return done;
    }
    progress.failed("a change of it takes long".to_owned());
    change.await
}

/// The moment so long after another one.
fn stored_after(moment: i64, time: Duration) -> i64 {
    moment.saturating_add(store::whole(time))
}

impl Sink for Applier {
    async fn begin(&mut self, standing: &Standing) -> Result<u64, QueueError> {
        standing.identity.clone_into(&mut self.identity);
        // It may fail below.
        self.metrics.queue_copy_lag(standing.last.saturating_sub(self.applied));
        let origin = self.with(|connection| Origin::read(connection)).await?;
        let after = match &origin {
            Some(origin) if origin.is(&self.link, standing).await? => origin.applied,
            _ => {
                if origin.is_some_and(|origin| origin.applied > 0) {
                    tracing::warn!(
                        "the NATS server's jobs are not those that this process's copy was made from: they were \
                         restored or made anew; the copy begins anew"
                    );
                }
                self.begin_anew().await?;
                0
            }
        };
        if !self.bounded && self.replica.time.has_rebooted() {
            self.bound_time().await?;
        }
        self.bounded = true;
        self.applied = after;
        self.metrics.queue_copy_lag(standing.last.saturating_sub(after));
        let depth = self.with(|connection| Counters::load(connection).map(|counters| counters.depth)).await?;
        self.replica.depth.store(depth, Ordering::Relaxed);
        Ok(after)
    }

    async fn take(&mut self, records: Vec<Arrived>, pending: u64) -> Result<(), QueueError> {
        let Some((last, age)) = records.last().map(|record| (record.stored.sequence, record.age)) else {
            return Ok(());
        };
        let (names, reports, replica) = (self.link.names.clone(), Arc::clone(&self.reports), Arc::clone(&self.replica));
        let now = Now { server: self.link.time.now(), steady: self.replica.time.now() };
        let watched = Arc::clone(&self.replica);
        let change = self.with(move |connection| {
            apply(connection, &names, &records, (now, &replica.time), |marks| {
                for mark in marks {
                    reports.stored(*mark);
                }
            })
        });
        let applied = known_to_take_long(&watched.progress, change).await?;
        if applied.gap {
            tracing::warn!("this process's copy of the jobs missed too much and is made anew");
            self.begin_anew().await?;
            return Err(unavailable("the copy of the jobs is made anew"));
        }
        self.publish(applied);
        self.applied = last;
        let behind = pending > 0 && age > BEHIND;
        self.metrics.queue_copy_lag(if behind { pending } else { 0 });
        self.replica.progress.moved(last, behind);
        if behind && self.replica.progress.is_complete() {
            self.warn(&format!("it is {pending} records behind"));
        }
        Ok(())
    }

    fn caught_up(&mut self, sequence: u64) {
        self.follows();
        self.metrics.queue_copy_lag(0);
        self.replica.progress.reached(sequence);
        self.replica.changed.notify_one();
    }

    fn failed(&mut self, error: &QueueError) {
        self.replica.progress.failed(error.to_string());
        self.warn(&error.to_string());
    }
}
