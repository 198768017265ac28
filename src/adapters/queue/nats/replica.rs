//! Keeps the read model up to the state stream: report → commit → wake, for what this process wrote as for what others did.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::{sync::Notify, task::spawn_blocking};

use super::{
    apply::{Applied, apply, start_from},
    connect_error::ConnectError,
    follower::Sink,
    link::{Link, Stored, unavailable},
    model::{Model, begin, empty},
    progress::Progress,
    record::{LedgerRecord, decode},
    reports::Reports,
};
use crate::{
    adapters::queue::{
        store::{self, Counters, Occupation, Readers, failure},
        waiters::Waiters,
    },
    ports::driven::QueueError,
};

/// How old an answer about hosts may be.
const MOMENT: Duration = Duration::from_millis(20);

/// The copy, as readers see it.
pub(super) struct Replica {
    pub(super) readers: Readers,
    pub(super) progress: Progress,
    pub(super) waiters: Waiters,
    /// Something changed about which somebody may have to act.
    pub(super) changed: Arc<Notify>,
    /// Executions that wait.
    depth: AtomicI64,
    /// What was last read of hosts, and when.
    occupation: Mutex<Option<(Instant, Arc<Occupation>)>>,
    lock: Mutex<Option<File>>,
}

impl Replica {
    /// Opens the copy; the connection is for the one who applies.
    pub(super) fn open(directory: &Path) -> Result<(Arc<Self>, Connection), ConnectError> {
        let Model { connection, file, lock } = Model::open(directory)?;
        let unusable =
            |source: io::Error| ConnectError::Model { path: directory.to_owned(), detail: source.to_string() };
        let replica = Self {
            readers: Readers::start(&file).map_err(unusable)?,
            progress: Progress::new(),
            waiters: Waiters::default(),
            changed: Arc::new(Notify::new()),
            depth: AtomicI64::new(0),
            occupation: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        Ok((Arc::new(replica), connection))
    }

    /// Reads what this process and all before it wrote.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.progress.caught_up().await?;
        self.readers.read(query).await
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

    /// Executions that wait.
    pub(super) fn depth(&self) -> i64 {
        self.depth.load(Ordering::Relaxed)
    }

    /// Gives the directory back. Blocks until running reads have ended.
    pub(super) fn close(&self) {
        self.readers.close();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Applies what the stream brings.
pub(super) struct Applier {
    pub(super) connection: Option<Connection>,
    pub(super) identity: String,
    pub(super) link: Arc<Link>,
    pub(super) replica: Arc<Replica>,
    pub(super) reports: Arc<Reports>,
}

impl Applier {
    /// Works on the connection on a thread that may block.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let Some(mut connection) = self.connection.take() else {
            return Err(unavailable("the read model was lost by a bug"));
        };
        let worked = spawn_blocking(move || {
            let done = work(&mut connection);
            (connection, done)
        });
        let (connection, done) = worked.await.map_err(|_| unavailable("a change of the read model was cut short"))?;
        self.connection = Some(connection);
        done.map_err(failure)
    }

    fn publish(&self, applied: Applied) {
        self.replica.depth.fetch_add(applied.deltas.depth, Ordering::Relaxed);
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
}

impl Sink for Applier {
    async fn begin(&mut self, identity: &str, last: u64) -> Result<u64, QueueError> {
        identity.clone_into(&mut self.identity);
        let name = self.identity.clone();
        let after = self.with(move |connection| begin(connection, &name, last)).await?;
        if after == 0
            && let Some(stored) = self.link.state(&self.link.names.ledger()).await?
            && let Some(checkpoint) = decode::<LedgerRecord>(&stored.payload)
        {
            self.with(move |connection| start_from(connection, &checkpoint)).await?;
        }
        let depth = self.with(|connection| Counters::load(connection).map(|counters| counters.depth)).await?;
        self.replica.depth.store(depth, Ordering::Relaxed);
        Ok(after)
    }

    async fn take(&mut self, records: Vec<Stored>) -> Result<(), QueueError> {
        let Some(last) = records.last().map(|record| record.sequence) else { return Ok(()) };
        let (names, reports) = (self.link.names.clone(), Arc::clone(&self.reports));
        let applied = self
            .with(move |connection| {
                apply(connection, &names, &records, |marks| {
                    for mark in marks {
                        reports.stored(*mark);
                    }
                })
            })
            .await?;
        if applied.gap {
            tracing::warn!("this process's copy of the jobs missed too much and is made anew");
            let identity = self.identity.clone();
            self.with(move |connection| empty(connection, &identity)).await?;
            return Err(unavailable("the copy of the jobs is made anew"));
        }
        self.publish(applied);
        if self.replica.progress.is_ready() {
            self.replica.progress.reached(last);
        }
        Ok(())
    }

    fn caught_up(&mut self, sequence: u64) {
        self.replica.progress.reached(sequence);
        self.replica.changed.notify_one();
    }
}
