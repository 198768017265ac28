//! The queue that the core sees: asks the writer to write, and readers to read.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};

use super::{
    boot::{Booted, boot},
    command::{Accepted, Command, Pending},
    config::EmbeddedConfig,
    open_error::OpenError,
    registry::Registry,
    submitting::known,
    writer::{Due, Writer},
};
use crate::{
    adapters::queue::{
        leases::Leases,
        store::{self, Counters, NewRows, Readers, SteadyTime, draining, stats},
        waiters::Waiters,
    },
    domain::{Hostname, Idempotency, InstanceId, Job, JobId, QueueStats, Worker},
    ports::{
        driven::{
            Cancelled, Claim, ClaimRequest, ClaimToken, Clock, Deleted, Durability, JobPage, JobQueue, Outcome,
            PageRequest, QueueError, QueueErrorKind, QueueInfo, Revocation, Submission, Submitted, WorkerRegistry,
        },
        driving::JobEvents,
    },
};

/// Commands that may wait for the writer: a few transactions' worth. Beyond it the queue is busy.
const BACKLOG: usize = 4_096;

/// The embedded queue, and the registry of this process's workers.
pub struct EmbeddedQueue {
    commands: SyncSender<Command>,
    readers: Arc<Readers>,
    registry: Arc<Registry>,
    leases: Arc<Leases<i64>>,
    waiters: Arc<Waiters>,
    time: Arc<SteadyTime>,
    durability: Durability,
    writer: Mutex<Option<Opened>>,
    /// Whether the writer panicked: then nothing is written any more.
    failed: watch::Sender<bool>,
}

/// What is given back by closing.
struct Opened {
    thread: JoinHandle<()>,
    lock: File,
}

impl EmbeddedQueue {
    /// What an embedded queue of this durability is.
    #[must_use]
    pub const fn info_of(durability: Durability) -> QueueInfo {
        QueueInfo { backend: "embedded", durability }
    }

    /// Opens the store, and decides what becomes of the executions that ran when its last process ended.
    ///
    /// Blocks; call it on a thread that may.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing was changed.
    pub fn open(
        config: EmbeddedConfig,
        clock: Arc<dyn Clock>,
        events: Arc<dyn JobEvents>,
    ) -> Result<Arc<Self>, OpenError> {
        let Booted { connection, files, lock } = boot(&config.data_dir, config.durability)?;
        let file = files.path().to_owned();
        let unreadable = |source| OpenError::Store { file: file.clone(), source };
        let counters = Counters::load(&connection).map_err(unreadable)?;
        let draining = draining(&connection).map_err(unreadable)?;
        let durability = config.durability;
        let time = Arc::new(SteadyTime::open(&connection, Arc::clone(&clock)).map_err(unreadable)?);
        let leases = Arc::new(Leases::new(config.lease, Arc::clone(&clock)));
        let registry = Arc::new(Registry::new(draining, clock));
        let waiters = Arc::new(Waiters::default());
        let unusable = |source| OpenError::Files { path: file.clone(), source };
        let readers = Arc::new(Readers::start(&files).map_err(unusable)?);
        let (commands, received) = sync_channel(BACKLOG);
        let mut writer = Writer {
            connection,
            commands: received,
            back: commands.clone(),
            config,
            time: Arc::clone(&time),
            files,
            registry: Arc::clone(&registry),
            events,
            leases: Arc::clone(&leases),
            waiters: Arc::clone(&waiters),
            readers: Arc::clone(&readers),
            counters,
            due: Due::default(),
        };
        writer.recover().map_err(|error| unusable(std::io::Error::other(error)))?;
        let failed = watch::Sender::new(false);
        let panics = failed.clone();
        let work = move || {
            if catch_unwind(AssertUnwindSafe(|| writer.work())).is_err() {
                tracing::error!("the writer of the job store panicked");
                panics.send_replace(true);
            }
        };
        let thread = thread::Builder::new().name("queue-writer".to_owned()).spawn(work).map_err(unusable)?;
        Ok(Arc::new(Self {
            commands,
            readers,
            registry,
            leases,
            waiters,
            time,
            durability,
            writer: Mutex::new(Some(Opened { thread, lock })),
            failed,
        }))
    }

    /// Writes what is still asked for, closes the store and lets others open it. What comes later is refused.
    ///
    /// Blocks; call it on a thread that may. A second call does nothing.
    pub fn close(&self) {
        let opened = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Opened { thread, lock }) = opened {
            self.readers.close();
            // A writer that is gone is closed; one that panicked has said so in the log.
            let _ = self.commands.send(Command::Close);
            let _ = thread.join();
            drop(lock);
        }
    }

    /// Returns when the queue has failed for good; never when that does not happen. What was acknowledged is in the store.
    pub async fn failed(&self) {
        // The sender lives as long as this queue.
        let _ = self.failed.subscribe().wait_for(|failed| *failed).await;
    }

    /// Asks the writer and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(Pending<T>) -> Command) -> Result<T, QueueError> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(command(Pending::new(answer))).map_err(|error| match error {
            TrySendError::Full(_) => QueueError::new(QueueErrorKind::Busy, "too many changes wait to be written"),
            TrySendError::Disconnected(_) => closed(),
        })?;
        answered.await.map_err(|_| closed())?
    }

    async fn known(&self, idempotency: &Idempotency) -> Result<Option<(JobId, bool)>, QueueError> {
        let idempotency = idempotency.clone();
        self.readers.read(move |connection| known(connection, &idempotency)).await
    }

    async fn made_before(&self, id: JobId, same: bool) -> Result<Submitted, QueueError> {
        if !same {
            return Ok(Submitted::KeyReused);
        }
        let job = self.job(id).await?;
        Ok(job.map_or(Submitted::ReplayedDeleted(id), |job| Submitted::Replayed(Box::new(job))))
    }
}

impl Drop for EmbeddedQueue {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> QueueError {
    QueueError::new(QueueErrorKind::Unavailable, "the job store is closed")
}

#[async_trait]
impl JobQueue for EmbeddedQueue {
    fn info(&self) -> QueueInfo {
        Self::info_of(self.durability)
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.readers.read(|connection| connection.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(()))).await?;
        // The writer is there and takes commands.
        self.ask(Command::Check).await
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, QueueError> {
        let idempotency = submission.idempotency.clone();
        let (rows, job) = NewRows::of(submission, self.time.moment())?;
        let id = job.summary.id;
        self.waiters.expect(id);
        let accepted = self.ask(|answer| Command::Submit(Box::new(rows), idempotency, answer)).await;
        if !matches!(accepted, Ok(Accepted::Created)) {
            self.waiters.forget(id);
        }
        match accepted? {
            Accepted::Created => Ok(Submitted::Created(Box::new(job))),
            Accepted::Known { id, same } => self.made_before(id, same).await,
            Accepted::Full => Err(QueueError::new(QueueErrorKind::Full, "the queue is full")),
        }
    }

    async fn replay(&self, idempotency: &Idempotency) -> Result<Option<Submitted>, QueueError> {
        match self.known(idempotency).await? {
            Some((id, same)) => self.made_before(id, same).await.map(Some),
            None => Ok(None),
        }
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        self.readers.read(move |connection| store::job(connection, id)).await
    }

    async fn jobs(&self, request: PageRequest) -> Result<JobPage, QueueError> {
        self.readers.read(move |connection| store::page(connection, &request)).await
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        let time = Arc::clone(&self.time);
        self.readers.read(move |connection| stats(connection, &time)).await
    }

    async fn ended(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        let waiting = self.waiters.register(id);
        if !waiting.known_to_be_open() {
            let job = self.job(id).await?;
            if job.as_ref().is_none_or(|job| job.summary.status.is_terminal()) {
                return Ok(job);
            }
        }
        waiting.end().await.ok_or_else(closed)?
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> {
        self.ask(|answer| Command::Cancel(id, answer)).await
    }

    async fn delete(&self, id: JobId) -> Result<Deleted, QueueError> {
        self.ask(|answer| Command::Delete(id, answer)).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, QueueError> {
        self.ask(|answer| Command::Claim(request, answer)).await.map(super::command::Granted::take)
    }

    async fn renew(&self, token: ClaimToken) -> Result<bool, QueueError> {
        Ok(self.leases.renew(token))
    }

    async fn revoked(&self, token: ClaimToken) -> Result<Revocation, QueueError> {
        let Some(mut revocation) = self.leases.revocation(token) else { return Ok(Revocation::Fenced) };
        match revocation.wait_for(Option::is_some).await.map(|revocation| *revocation) {
            Ok(Some(revocation)) => Ok(revocation),
            // The run was recorded: nobody will ask it to stop any more.
            _ => std::future::pending().await,
        }
    }

    async fn finish(&self, token: ClaimToken, outcome: Outcome) -> Result<bool, QueueError> {
        self.ask(|answer| Command::Finish(token, Box::new(outcome), answer)).await
    }
}

#[async_trait]
impl WorkerRegistry for EmbeddedQueue {
    async fn heartbeat(&self, worker: Worker) -> Result<(), QueueError> {
        self.registry.heartbeat(worker)
    }

    async fn leave(&self, hostname: &Hostname, instance: InstanceId) -> Result<(), QueueError> {
        self.registry.leave(hostname, instance);
        Ok(())
    }

    async fn connected(&self) -> Result<Vec<Worker>, QueueError> {
        Ok(self.registry.connected(|hostname| self.leases.used_by(hostname)))
    }

    async fn set_draining(&self, hostname: &Hostname, draining: bool) -> Result<Option<Worker>, QueueError> {
        let worker = |workers: Vec<Worker>| workers.into_iter().find(|worker| worker.hostname == *hostname);
        if worker(self.connected().await?).is_none() {
            return Ok(None);
        }
        self.ask(|answer| Command::Drain(hostname.clone(), draining, answer)).await?;
        Ok(worker(self.connected().await?))
    }
}
