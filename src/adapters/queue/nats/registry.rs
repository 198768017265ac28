//! The workers of this process: their signs of life, and who may have a name.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::SelectAll};
use tokio::{sync::watch, time::sleep};
use uuid::Uuid;

use super::{
    connect_error::ConnectError,
    executions::Executions,
    link::{Link, NotWritten},
    questions::{Answer, Questions},
    record::{Alive, Control, DrainingRecord, WorkerRecord, decode, encode},
};
use crate::{
    adapters::queue::store::between,
    domain::{Hostname, InstanceId, Worker, worker::is_connected},
    ports::driven::{QueueError, QueueErrorKind},
};

/// How long the holder of a name has to say that it lives.
const ALIVE: Duration = Duration::from_millis(800);
/// How long a worker has to say that it knows whether it drains.
const KNOWN: Duration = Duration::from_millis(500);
/// Pause before something is tried again that the server did not take.
const AGAIN: Duration = Duration::from_millis(100);
/// How often a record is tried that others write too.
const TRIES: u32 = 4;

/// What this process says about its workers.
pub(super) struct Registry {
    session: Uuid,
    link: Arc<Link>,
    questions: Questions,
    /// Workers of this process as they last gave a sign of life, and the uptime of the host then.
    own: Mutex<HashMap<Hostname, (Worker, i64)>>,
    /// Hosts that this process claims for, and whether they may.
    draining: Mutex<HashMap<Hostname, watch::Sender<bool>>>,
    /// Hosts whose names went to other processes: this one claims nothing for them.
    lost: Mutex<HashSet<Hostname>>,
    /// Held while it is looked up whether a host drains, so that what is looked up last is what counts.
    looking: tokio::sync::Mutex<()>,
}

impl Registry {
    pub(super) fn new(session: Uuid, link: Arc<Link>) -> Self {
        Self {
            session,
            questions: Questions::new(session, Arc::clone(&link)),
            link,
            own: Mutex::default(),
            draining: Mutex::default(),
            lost: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }
    }

    fn own(&self) -> MutexGuard<'_, HashMap<Hostname, (Worker, i64)>> {
        // Every change is complete in itself.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draining(&self) -> MutexGuard<'_, HashMap<Hostname, watch::Sender<bool>>> {
        self.draining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> MutexGuard<'_, HashSet<Hostname>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an instance lives in this process.
    fn lives_here(&self, instance: Uuid) -> bool {
        let now = self.link.time.uptime();
        let fresh = |at: &i64| is_connected(between(*at, now));
        self.own().values().any(|(own, at)| own.instance.0 == instance && fresh(at))
    }

    /// Whether the worker of a record lives. One whose process has no connection any more does not; one that does not
    /// answer may.
    async fn lives(&self, record: &WorkerRecord) -> Result<bool, QueueError> {
        if record.session == self.session {
            return Ok(self.lives_here(record.instance));
        }
        let question = encode(&Alive(record.instance));
        Ok(match self.questions.ask(self.link.names.alive(record.session), question, ALIVE).await? {
            Answer::Said(answer) => decode::<bool>(&answer).unwrap_or(true),
            Answer::NotThere => false,
            Answer::Silence => true,
        })
    }

    /// Enters a worker, or refreshes it. Returns the sequence of its record.
    pub(super) async fn heartbeat(&self, worker: &Worker) -> Result<u64, QueueError> {
        let subject = self.link.names.worker(&worker.hostname);
        for _ in 0..TRIES {
            let stored = self.link.last(&self.link.streams.workers, &subject).await?;
            let (sequence, at) = stored.as_ref().map_or((0, 0), |stored| (stored.sequence, stored.at));
            let holder = stored.and_then(|stored| decode::<WorkerRecord>(&stored.payload));
            if holder.as_ref().is_some_and(|holder| holder.session == self.session) {
                self.hear_time(&worker.hostname, at);
            }
            if let Some(holder) = holder.filter(|holder| !holder.left && holder.instance != worker.instance.0)
                && self.lives(&holder).await?
            {
                self.give_up(&worker.hostname, worker.instance);
                return Err(taken(&worker.hostname));
            }
            let record = encode(&WorkerRecord::of(worker, self.session, self.link.time.time_of_day()));
            match self.link.write(&subject, record, Some(sequence)).await {
                Ok(written) => {
                    self.own().insert(worker.hostname.clone(), (worker.clone(), self.link.time.uptime()));
                    self.lost().remove(&worker.hostname);
                    self.refresh(&worker.hostname).await?;
                    return Ok(written);
                }
                Err(NotWritten::Conflict) => {}
                Err(error) => return Err(error.into_error()),
            }
        }
        Err(NotWritten::Conflict.into_error())
    }

    /// This process wrote the last record of a host, which the server stored at this time of its own.
    fn hear_time(&self, hostname: &Hostname, at: i64) {
        let written = self.own().get(hostname).map(|(_, uptime)| *uptime);
        if let Some(written) = written {
            self.link.time.heard(at + (self.link.time.uptime() - written));
        }
    }

    /// The name went to another process: this one claims nothing for it any more.
    fn give_up(&self, hostname: &Hostname, instance: InstanceId) {
        let mut own = self.own();
        if own.get(hostname).is_some_and(|(known, _)| known.instance == instance) {
            own.remove(hostname);
            self.lost().insert(hostname.clone());
            if let Some(draining) = self.draining().get(hostname) {
                draining.send_replace(true);
            }
        }
    }

    /// Removes a worker that stops, unless another instance took its place. Returns the sequence of the record.
    pub(super) async fn leave(&self, hostname: &Hostname, instance: InstanceId) -> Result<Option<u64>, QueueError> {
        let subject = self.link.names.worker(hostname);
        self.own().retain(|name, (own, _)| name != hostname || own.instance != instance);
        let Some(stored) = self.link.last(&self.link.streams.workers, &subject).await? else { return Ok(None) };
        let record = decode::<WorkerRecord>(&stored.payload).filter(|record| record.instance == instance.0);
        let Some(record) = record else { return Ok(None) };
        let left = encode(&WorkerRecord { left: true, ..record });
        match self.link.write(&subject, left, Some(stored.sequence)).await {
            Ok(written) => Ok(Some(written)),
            Err(NotWritten::Conflict) => Ok(None),
            Err(error) => Err(error.into_error()),
        }
    }

    /// Says whether a host may claim, from now on.
    pub(super) async fn follow_draining(&self, hostname: &Hostname) -> Result<watch::Receiver<bool>, QueueError> {
        let _turn = self.looking.lock().await;
        let draining = self.drains(hostname).await?;
        let mut known = self.draining();
        // Looked at under the same lock under which a name that is lost is said here.
        let draining = draining || self.lost().contains(hostname);
        let sender = known.entry(hostname.clone()).or_insert_with(|| watch::Sender::new(draining));
        sender.send_replace(draining);
        Ok(sender.subscribe())
    }

    /// Starts or ends the draining of a host. Returns the sequence of the record.
    pub(super) async fn set_draining(&self, hostname: &Hostname, draining: bool) -> Result<u64, QueueError> {
        let subject = self.link.names.draining(hostname);
        let written = self.link.write(&subject, encode(&DrainingRecord { draining }), None).await;
        let written = written.map_err(NotWritten::into_error)?;
        self.refresh(hostname).await?;
        let worker = self.link.last(&self.link.streams.workers, &self.link.names.worker(hostname)).await?;
        let holder = worker.and_then(|stored| decode::<WorkerRecord>(&stored.payload));
        if let Some(holder) = holder.filter(|holder| holder.session != self.session) {
            let told = encode(&Control::Draining(hostname.clone()));
            let known = self.questions.ask(self.link.names.control(holder.session), told, KNOWN);
            // A process that does not answer learns of it with its next heartbeat.
            if !matches!(known.await?, Answer::Said(_)) {
                tracing::debug!(%hostname, "the worker has not said that it knows whether it drains");
            }
        }
        Ok(written)
    }

    async fn drains(&self, hostname: &Hostname) -> Result<bool, QueueError> {
        let stored = self.link.state(&self.link.names.draining(hostname)).await?;
        let record = stored.and_then(|stored| decode::<DrainingRecord>(&stored.payload));
        Ok(record.is_some_and(|record| record.draining))
    }

    /// Whether a host drains has changed: says that this process knows it.
    async fn drains_otherwise(&self, hostname: &Hostname, reply: Option<async_nats::Subject>) {
        match (self.refresh(hostname).await, reply) {
            (Ok(()), Some(reply)) => self.link.hint(reply.to_string(), encode(&true)).await,
            (Ok(()), None) => {}
            (Err(error), _) => tracing::debug!(%error, "whether this host drains will be known at its next heartbeat"),
        }
    }

    /// Looks again whether a host drains, if this process claims for it.
    async fn refresh(&self, hostname: &Hostname) -> Result<(), QueueError> {
        if self.draining().contains_key(hostname) {
            let _turn = self.looking.lock().await;
            let draining = self.drains(hostname).await?;
            if let Some(own) = self.draining().get(hostname) {
                let draining = draining || self.lost().contains(hostname);
                own.send_if_modified(|own| std::mem::replace(own, draining) != draining);
            }
        }
        Ok(())
    }
}

fn taken(hostname: &Hostname) -> QueueError {
    let message = format!("another live worker has the hostname {hostname}");
    QueueError::new(QueueErrorKind::HostnameTaken, message)
}

/// Enters the workers of this process again as soon as a connection is back that was lost, until it is aborted. By then
/// the server may have forgotten them, and until their next heartbeat no target would mean them.
pub(super) async fn come_back(registry: Arc<Registry>) {
    let mut link = registry.link.watch();
    let mut times = link.borrow().times;
    // The link is there as long as this runs.
    while let Ok(state) = link.wait_for(|state| state.now && state.times > times).await.map(|state| *state) {
        let workers: Vec<Worker> = registry.own().values().map(|(worker, _)| worker.clone()).collect();
        let mut failed = false;
        for worker in &workers {
            // Somebody else may have the name by now: the next heartbeat says so.
            let entered = registry.heartbeat(worker).await;
            failed |= entered.is_err_and(|error| error.kind() == QueueErrorKind::Unavailable);
        }
        if failed {
            // The server stores nothing yet.
            sleep(AGAIN).await;
        } else {
            times = state.times;
        }
    }
}

/// Where a process hears others.
pub(super) type Heard = SelectAll<async_nats::Subscriber>;

/// Begins to hear what this process is told and asked, and the answers to what it asks.
pub(super) async fn subscribe(link: &Link, session: Uuid) -> Result<Heard, ConnectError> {
    let mut heard = SelectAll::new();
    for subject in [link.names.control(session), link.names.alive(session), link.names.answers(session)] {
        let refused = |detail: String| ConnectError::Stream { stream: subject.clone(), detail };
        let subscription = link.client.subscribe(subject.clone()).await;
        heard.push(subscription.map_err(|error| refused(error.to_string()))?);
        link.client.flush().await.map_err(|error| refused(error.to_string()))?;
    }
    Ok(heard)
}

/// Hears others, until it is aborted.
pub(super) async fn listen(heard: &mut Heard, registry: Arc<Registry>, executions: Arc<Executions>) {
    let names = &registry.link.names;
    let (control, alive) = (names.control(registry.session), names.alive(registry.session));
    while let Some(message) = heard.next().await {
        if message.subject.as_str() == alive {
            if let (Some(Alive(instance)), Some(reply)) = (decode(&message.payload), message.reply) {
                registry.link.hint(reply.to_string(), encode(&registry.lives_here(instance))).await;
            }
        } else if message.subject.as_str() == control {
            match decode::<Control>(&message.payload) {
                Some(Control::Draining(hostname)) => registry.drains_otherwise(&hostname, message.reply).await,
                Some(control) => executions.hear(&control),
                None => tracing::debug!("this process was told something that it does not understand"),
            }
        } else {
            registry.questions.hear(message);
        }
    }
}
