//! The queue and the registry that the core sees, over a NATS server.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{
    sync::{RwLock, mpsc, oneshot},
    task::JoinHandle,
    time::{Instant as TokioInstant, timeout, timeout_at},
};
use uuid::Uuid;

use super::{
    claims::Dispatcher,
    config::NatsConfig,
    connect_error::ConnectError,
    due::Which,
    executions::Executions,
    fleet::Fleet,
    hands::{Granted, Parked},
    link::{ANSWER, Link, NotWritten, unavailable},
    record::{CancelRecord, encode},
    registry::{Registry, subscribe},
    removal::remove,
    replica::Replica,
    reports::Reports,
    start::Start,
    submitting::{Acceptance, Attempt},
    tasks::panicked,
    upkeep::{Poke, cancel},
};
use crate::{
    adapters::queue::store,
    domain::{Hostname, Idempotency, InstanceId, Job, JobId, QueueStats, Worker},
    ports::{
        driven::{
            Cancelled, Claim, ClaimRequest, ClaimToken, Clock, Deleted, Durability, JobPage, JobQueue, MetricsPort,
            Outcome, PageRequest, QueueError, QueueInfo, Revocation, Submission, Submitted, WorkerRegistry,
        },
        driving::JobEvents,
    },
};

/// An idempotency record is kept at least so long, whatever becomes of its job.
const KEY_AGE: Duration = Duration::from_hours(24);

/// How long a look at the fleet waits for what this process said of its own workers.
const CAUGHT_UP: Duration = Duration::from_millis(200);

/// The queue over NATS, and the registry of the fleet.
pub struct NatsQueue {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What calls and tasks share.
struct Shared {
    link: Arc<Link>,
    executions: Arc<Executions>,
    registry: Arc<Registry>,
    metrics: Arc<dyn MetricsPort>,
    lease: Duration,
    durability: Durability,
    /// What only a process with a read model has.
    served: Option<Served>,
    /// False once the queue is closed; held while something is written.
    open: Arc<RwLock<bool>>,
    closed: AtomicBool,
    dispatchers: Mutex<HashMap<(Hostname, bool), mpsc::UnboundedSender<Parked>>>,
    dispatching: Mutex<Vec<JoinHandle<()>>>,
    /// When this process last gave a sign of life for its runs.
    beat: tokio::sync::Mutex<Option<Instant>>,
}

pub(super) struct Served {
    pub(super) replica: Arc<Replica>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) acceptance: Acceptance,
    pub(super) pokes: mpsc::UnboundedSender<Poke>,
}

impl NatsQueue {
    /// What a NATS queue with this configuration is.
    ///
    /// A server acknowledges before it syncs its disk, unless it is told otherwise: one copy survives the end of the
    /// server's process, and three survive the power cut of one machine.
    #[must_use]
    pub const fn info_of(replicas: usize) -> QueueInfo {
        let durability = if replicas >= 3 { Durability::PowerLoss } else { Durability::ProcessCrash };
        QueueInfo { backend: "nats", durability }
    }

    /// Connects, opens the streams, and begins to follow them.
    ///
    /// A process with a read model makes the streams as configured and can be asked at once; its answers wait for the
    /// model to catch up. One without waits for the streams, if it may not make them itself.
    ///
    /// # Errors
    /// [`ConnectError`], when the server cannot be reached or cannot do what is needed.
    pub async fn connect(
        config: NatsConfig,
        clock: Arc<dyn Clock>,
        events: Arc<dyn JobEvents>,
        metrics: Arc<dyn MetricsPort>,
    ) -> Result<Arc<Self>, ConnectError> {
        let opened = match &config.model_dir {
            Some(directory) => Some(Replica::open(directory, Arc::clone(&clock))?),
            None => None,
        };
        let key_age = config.retention.age.max(KEY_AGE);
        let link = Arc::new(
            Link::open(&config.server, opened.is_some(), key_age, Arc::clone(&clock), Arc::clone(&metrics)).await?,
        );
        let session = Uuid::from_bytes(random());
        let reports = Arc::new(Reports::new(session, events));
        let replica = opened.as_ref().map(|(replica, _)| Arc::clone(replica));
        let executions =
            Arc::new(Executions::new(session, Arc::clone(&link), Arc::clone(&reports), clock, config.lease, replica));
        let registry = Arc::new(Registry::new(session, Arc::clone(&link)));
        let open = Arc::new(RwLock::new(true));

        // The process can be asked whether it lives before others know of it.
        let heard = subscribe(&link, session).await?;
        let start = Start { link: &link, executions: &executions, registry: &registry, open: &open, metrics: &metrics };
        let mut tasks = start.every_process(heard);
        let served = opened.map(|(replica, copy)| {
            let (served, own) = start.serving(&config, replica, copy, reports);
            tasks.extend(own);
            served
        });
        let shared = Shared {
            link,
            executions,
            registry,
            metrics,
            lease: config.lease,
            durability: Self::info_of(config.server.replicas).durability,
            served,
            open,
            closed: AtomicBool::new(false),
            dispatchers: Mutex::default(),
            dispatching: Mutex::default(),
            beat: tokio::sync::Mutex::default(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared), tasks: Mutex::new(tasks) }))
    }

    /// Bytes of the largest record that the server stores, as it said when the connection was last made.
    #[must_use]
    pub fn largest_record(&self) -> usize {
        self.shared.link.largest_record()
    }

    /// Finishes what is being written, then leaves the server. What comes later is refused; a second call does nothing.
    ///
    /// Runs of this process's workers should have ended before: their leases end by themselves otherwise.
    pub async fn close(&self) {
        if self.shared.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        // Without anybody who can ask, the dispatchers give back what nobody took, and end.
        self.shared.dispatchers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let dispatching = std::mem::take(&mut *self.shared.dispatching.lock().unwrap_or_else(PoisonError::into_inner));
        let until = TokioInstant::now() + ANSWER;
        for mut task in dispatching {
            if timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
        *self.shared.open.write().await = false;
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            // It was aborted, or has said in the log why it ended.
            let _ = task.await;
        }
        self.shared.link.close().await;
        if let Some(served) = &self.shared.served {
            let replica = Arc::clone(&served.replica);
            // It does nothing that could panic.
            let _ = tokio::task::spawn_blocking(move || replica.close()).await;
        }
    }

    /// Does something that writes, to its end, also when nobody waits for it any more.
    async fn write<T, F>(&self, work: impl FnOnce(Arc<Shared>) -> F + Send + 'static) -> Result<T, QueueError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let written = tokio::spawn(async move {
            let open = Arc::clone(&shared.open).read_owned().await;
            if !*open {
                return Err(unavailable("the queue is closed"));
            }
            work(shared).await
        });
        written.await.map_err(|_| unavailable("a change was cut short").possibly_applied())?
    }
}

impl Drop for NatsQueue {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..);
        tasks.for_each(|task| task.abort());
        let mut dispatching = self.shared.dispatching.lock().unwrap_or_else(PoisonError::into_inner);
        dispatching.drain(..).for_each(|task| task.abort());
    }
}

impl Shared {
    fn served(&self) -> Result<&Served, QueueError> {
        self.served.as_ref().ok_or_else(|| unavailable("this process has no copy of the jobs"))
    }

    /// The copy of the jobs, as far as it may be shown: without a connection it may be behind.
    fn reads(&self) -> Result<&Arc<Replica>, QueueError> {
        self.link.up()?;
        Ok(&self.served()?.replica)
    }

    /// Where a host's dispatcher takes requests; one is started for the first.
    async fn dispatcher(&self, request: &ClaimRequest) -> Result<mpsc::UnboundedSender<Parked>, QueueError> {
        let key = (request.worker.clone(), request.commands_enabled);
        let known = self.dispatchers.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known.filter(|known| !known.is_closed()) {
            return Ok(known);
        }
        let draining = self.registry.follow_draining(&request.worker).await?;
        let mut dispatchers = self.dispatchers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = dispatchers.get(&key).filter(|known| !known.is_closed()) {
            return Ok(known.clone());
        }
        let (requests, requested) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher {
            executions: Arc::clone(&self.executions),
            hostname: request.worker.clone(),
            commands_enabled: request.commands_enabled,
            requests: requested,
            draining,
        };
        let metrics = Arc::clone(&self.metrics);
        // The next request starts another one.
        let task = tokio::spawn(async move {
            panicked("dispatcher", &*metrics, dispatcher.work()).await;
        });
        self.dispatching.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        dispatchers.insert(key, requests.clone());
        Ok(requests)
    }

    /// Gives a sign of life for the runs of this process, unless there was one just now.
    async fn beat(&self) -> Result<(), QueueError> {
        let mut last = self.beat.lock().await;
        if last.is_some_and(|last| last.elapsed() < self.lease / 6) {
            return Ok(());
        }
        let begun = Instant::now();
        let subject = self.link.names.beat(self.executions.session);
        self.link.write(&subject, Vec::new(), None).await.map_err(NotWritten::into_error)?;
        *last = Some(begun);
        Ok(())
    }

    /// Makes everything that is due be done now, and the read model show it.
    async fn tidy(&self) -> Result<(), QueueError> {
        let served = self.served()?;
        served.fleet.progress.ready().await?;
        served.replica.progress.ready().await?;
        let (poke, made) = oneshot::channel();
        let closed = || unavailable("the queue is closed");
        served.pokes.send(poke).map_err(|_| closed())?;
        made.await.map_err(|_| closed())??;
        served.replica.progress.caught_up().await?;
        served.replica.look_again();
        Ok(())
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> {
        let served = self.served()?;
        let Some(found) = served.replica.job(&self.link, id).await? else { return Ok(Cancelled::NotFound) };
        if found.summary.status.is_terminal() {
            return Ok(Cancelled::AlreadyTerminal(found.summary.status));
        }
        let record = encode(&CancelRecord { at: self.link.time.now() });
        match self.link.write(&self.link.names.cancel(id), record, Some(0)).await {
            Ok(written) => self.executions.wrote(written),
            // It was asked for before.
            Err(NotWritten::Conflict) => {}
            Err(error) => return Err(error.into_error()),
        }
        let rows = move |connection: &_| Which::OpenOf.read(connection, [id.as_uuid().as_bytes()]);
        let open = served.replica.read(rows).await?;
        cancel(&self.executions, &served.replica, open).await.map_err(QueueError::possibly_applied)?;
        if found.executions.len() > 1 {
            // The end of such a job is written when its executions are seen to have ended.
            self.tidy().await.map_err(QueueError::possibly_applied)?;
        }
        let job = served.replica.read(move |connection| store::job(connection, id)).await?;
        Ok(job.map_or(Cancelled::NotFound, |job| Cancelled::Accepted(Box::new(job))))
    }

    async fn delete(&self, id: JobId) -> Result<Deleted, QueueError> {
        let replica = &self.served()?.replica;
        let Some(job) = replica.job(&self.link, id).await? else { return Ok(Deleted::NotFound) };
        let status = job.summary.status;
        if !status.is_terminal() {
            return Ok(Deleted::NotTerminal(status));
        }
        let removed = remove(&self.executions, id, status).await?;
        replica.progress.caught_up().await.map_err(QueueError::possibly_applied)?;
        Ok(if removed { Deleted::Done } else { Deleted::NotFound })
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Without randomness there is no TLS, no key and no process either.
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[async_trait]
impl JobQueue for NatsQueue {
    fn info(&self) -> QueueInfo {
        QueueInfo { backend: "nats", durability: self.shared.durability }
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.shared.link.state(&self.shared.link.names.ledger()).await?;
        if self.shared.served.is_some() { self.shared.tidy().await } else { Ok(()) }
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, QueueError> {
        let attempt = Arc::new(Attempt::default());
        let own = Arc::clone(&attempt);
        let submitted = self.write(|shared| async move { shared.served()?.acceptance.submit(submission, &own).await });
        timeout(ANSWER, submitted).await.unwrap_or_else(|_| Err(attempt.give_up()))
    }

    async fn replay(&self, idempotency: &Idempotency) -> Result<Option<Submitted>, QueueError> {
        self.shared.served()?.acceptance.replay(idempotency).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        self.shared.reads()?.job(&self.shared.link, id).await
    }

    async fn jobs(&self, request: PageRequest) -> Result<JobPage, QueueError> {
        self.shared.reads()?.read(move |connection| store::page(connection, &request)).await
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        let replica = Arc::clone(self.shared.reads()?);
        let own = Arc::clone(&replica);
        replica.read(move |connection| store::stats(connection, &own.time)).await
    }

    async fn ended(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        let replica = &self.shared.served()?.replica;
        let waiting = replica.waiters.register(id);
        if !waiting.known_to_be_open() {
            let job = replica.job(&self.shared.link, id).await?;
            if job.as_ref().is_none_or(|job| job.summary.status.is_terminal()) {
                return Ok(job);
            }
        }
        waiting.end().await.ok_or_else(|| unavailable("the queue is closed"))?
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> {
        self.write(move |shared| async move { shared.cancel(id).await }).await
    }

    async fn delete(&self, id: JobId) -> Result<Deleted, QueueError> {
        self.write(move |shared| async move { shared.delete(id).await }).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, QueueError> {
        let closed = || unavailable("the queue is closed");
        if self.shared.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let dispatcher = self.shared.dispatcher(&request).await?;
        let (answer, granted) = oneshot::channel();
        dispatcher.send(Parked { request, answer }).map_err(|_| closed())?;
        granted.await.map(Granted::take).map_err(|_| closed())
    }

    async fn renew(&self, token: ClaimToken) -> Result<bool, QueueError> {
        let executions = &self.shared.executions;
        if !executions.look(token).await? {
            return Ok(false);
        }
        self.shared.beat().await?;
        Ok(executions.leases.renew(token))
    }

    async fn revoked(&self, token: ClaimToken) -> Result<Revocation, QueueError> {
        let revocation = self.shared.executions.leases.revocation(token);
        let Some(mut revocation) = revocation else { return Ok(Revocation::Fenced) };
        match revocation.wait_for(Option::is_some).await.map(|revocation| *revocation) {
            Ok(Some(revocation)) => Ok(revocation),
            // The run was recorded: nobody will ask it to stop any more.
            _ => std::future::pending().await,
        }
    }

    async fn finish(&self, token: ClaimToken, outcome: Outcome) -> Result<bool, QueueError> {
        self.write(move |shared| async move { shared.executions.finish(token, &outcome).await }).await
    }
}

#[async_trait]
impl WorkerRegistry for NatsQueue {
    async fn heartbeat(&self, worker: Worker) -> Result<(), QueueError> {
        self.write(move |shared| async move {
            let written = shared.registry.heartbeat(&worker).await?;
            if let Some(served) = &shared.served {
                served.fleet.progress.wrote(written);
            }
            Ok(())
        })
        .await
    }

    async fn leave(&self, hostname: &Hostname, instance: InstanceId) -> Result<(), QueueError> {
        let hostname = hostname.clone();
        self.write(move |shared| async move {
            let written = shared.registry.leave(&hostname, instance).await?;
            if let (Some(served), Some(written)) = (&shared.served, written) {
                served.fleet.progress.wrote(written);
            }
            Ok(())
        })
        .await
    }

    async fn connected(&self) -> Result<Vec<Worker>, QueueError> {
        let served = self.shared.served()?;
        // A connection that is gone is said at once; one that hangs, before the caller's second is over.
        self.shared.link.up()?;
        if self.shared.link.workers_return() {
            return Err(unavailable("the workers have to come back first"));
        }
        let behind = |_| unavailable("this process's copy of the fleet is catching up");
        timeout(CAUGHT_UP, served.fleet.progress.caught_up()).await.map_err(behind)??;
        let mut workers = served.fleet.connected(self.shared.link.time.uptime());
        // As far as the copy has come: whoever starts a draining waits until it shows.
        let occupation = served.replica.occupation().await?;
        for worker in &mut workers {
            worker.slots_used = occupation.used.get(worker.hostname.as_str()).copied().unwrap_or_default();
            if occupation.draining.contains(&worker.hostname) {
                worker.state = crate::domain::WorkerState::Draining;
            }
        }
        Ok(workers)
    }

    async fn set_draining(&self, hostname: &Hostname, draining: bool) -> Result<Option<Worker>, QueueError> {
        let worker = |workers: Vec<Worker>| workers.into_iter().find(|worker| worker.hostname == *hostname);
        if worker(self.connected().await?).is_none() {
            return Ok(None);
        }
        let name = hostname.clone();
        self.write(move |shared| async move {
            let written = shared.registry.set_draining(&name, draining).await?;
            shared.executions.wrote(written);
            let replica = &shared.served()?.replica;
            replica.progress.caught_up().await?;
            replica.look_again();
            Ok(())
        })
        .await?;
        Ok(worker(self.connected().await?))
    }
}
