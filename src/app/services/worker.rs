//! The worker of this process: joins the fleet, claims executions into its slots and runs them until it is stopped.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{Instant, interval_at, sleep, timeout},
};

use super::run::{Runner, Said};
use crate::{
    domain::{Hostname, InstanceId, Labels, Worker, WorkerState, worker::HEARTBEAT_INTERVAL},
    ports::driven::{Claim, ClaimRequest, Clock, JobQueue, MetricsPort, OperationExecutor, QueueError, WorkerRegistry},
};

/// How long an operation that was told to stop may take for it: a cancelled one must be gone within 5 s.
const WIND_DOWN: Duration = Duration::from_secs(3);
/// What is left of the grace time when running operations are told to stop: the wind-down, and recording its outcome.
const LAST_CALL: Duration = Duration::from_secs(4);
/// Waits between claims that fail, growing from the first to the second.
const CLAIM_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What a worker is.
#[derive(Debug, Clone)]
pub struct WorkerProfile {
    /// Its name in the fleet.
    pub hostname: Hostname,
    /// This life of the process.
    pub instance: InstanceId,
    /// What targets match.
    pub labels: Labels,
    /// Executions that run at the same time.
    pub slots: u32,
    /// Time from the stop to the end of the last run.
    pub grace: Duration,
    /// Length of a lease.
    pub lease: Duration,
    /// Version of the program.
    pub version: &'static str,
}

/// What the worker is made of.
pub struct WorkerParts {
    /// Where work comes from.
    pub queue: Arc<dyn JobQueue>,
    /// Where it is known.
    pub registry: Arc<dyn WorkerRegistry>,
    /// What runs operations.
    pub executor: Arc<dyn OperationExecutor>,
    /// Where running operations are counted.
    pub metrics: Arc<dyn MetricsPort>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What it is.
    pub profile: WorkerProfile,
}

/// The worker of this process, a member of the fleet until it is stopped.
pub struct WorkerService {
    parts: WorkerParts,
    started_at: Timestamp,
    membership: watch::Sender<Membership>,
}

/// Whether a worker is a member of the fleet: why its last heartbeat failed, if it did.
pub type Membership = Option<String>;

impl WorkerService {
    /// Joins the fleet.
    ///
    /// # Errors
    /// When the registry fails, or another live worker has this hostname.
    pub async fn join(parts: WorkerParts) -> Result<Self, QueueError> {
        let started_at = parts.clock.now();
        let worker = Self { parts, started_at, membership: watch::Sender::new(None) };
        worker.parts.registry.heartbeat(worker.record()).await?;
        worker.parts.metrics.worker_joined(&worker.parts.profile.hostname);
        Ok(worker)
    }

    /// Follows whether it is a member of the fleet.
    #[must_use]
    pub fn membership(&self) -> watch::Receiver<Membership> {
        self.membership.subscribe()
    }

    /// Works until `stop` turns `true`, then ends what runs within the grace time and leaves the fleet.
    pub async fn work(self, mut stop: watch::Receiver<bool>) {
        let (interrupt, interrupted) = watch::channel(false);
        let last_call = LAST_CALL.min(self.parts.profile.grace / 2);
        let runner = Arc::new(Runner {
            queue: Arc::clone(&self.parts.queue),
            executor: Arc::clone(&self.parts.executor),
            metrics: Arc::clone(&self.parts.metrics),
            lease: self.parts.profile.lease,
            wind_down: WIND_DOWN.min(last_call * 3 / 4),
            interrupted,
            said: Said::default(),
        });
        let mut runs = JoinSet::new();
        tokio::select! {
            never = self.heartbeats() => never,
            () = async {
                self.claims(&runner, &mut runs, &mut stop).await;
                let finished = async { while runs.join_next().await.is_some() {} };
                let farewell = async {
                    sleep(self.parts.profile.grace.saturating_sub(last_call)).await;
                    interrupt.send_replace(true);
                    sleep(last_call).await;
                };
                tokio::select! { () = finished => {}, () = farewell => {} }
            } => {}
        }
        if !runs.is_empty() {
            tracing::warn!(runs = runs.len(), "the grace time is over, abandoning what still runs");
        }
        runs.shutdown().await;
        self.leave().await;
    }

    /// Fills free slots with work until the stop. Slots that become free ask for work by themselves, so that they do not
    /// wait for the answer to those that asked before.
    async fn claims(&self, runner: &Arc<Runner>, runs: &mut JoinSet<()>, stop: &mut watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.parts.profile.slots as usize));
        let mut asked = JoinSet::new();
        let mut again = CLAIM_AGAIN.0;
        loop {
            let claimed = tokio::select! {
                biased;
                () = stopped(stop) => return end_asking(&mut asked, runner, runs).await,
                // Nobody aborts one of them, so it ended by itself or by a bug.
                Some(claimed) = asked.join_next() => claimed.unwrap_or_else(|bug| resume_unwind(bug.into_panic())),
                free = free(&slots) => {
                    asked.spawn(self.claim(free));
                    continue;
                }
            };
            while runs.try_join_next().is_some() {}
            match claimed {
                Ok((claims, permits)) => {
                    if again > CLAIM_AGAIN.0 {
                        tracing::info!("claiming work again");
                        again = CLAIM_AGAIN.0;
                    }
                    start(claims, permits, runner, runs);
                }
                Err(error) => {
                    // The others would fail alike.
                    end_asking(&mut asked, runner, runs).await;
                    if again == CLAIM_AGAIN.0 {
                        tracing::warn!(%error, "cannot claim work, trying again");
                    }
                    tokio::select! {
                        _ = stop.wait_for(|stop| *stop) => return,
                        () = sleep(again) => again = (again * 2).min(CLAIM_AGAIN.1),
                    }
                }
            }
        }
    }

    /// Claims as much as there are free slots.
    fn claim(&self, free: Vec<OwnedSemaphorePermit>) -> impl Future<Output = Claimed> + use<> {
        let queue = Arc::clone(&self.parts.queue);
        let request = ClaimRequest {
            worker: self.parts.profile.hostname.clone(),
            instance: self.parts.profile.instance,
            max: u32::try_from(free.len()).unwrap_or(u32::MAX),
            commands_enabled: self.parts.executor.commands_enabled(),
        };
        async move { Ok((queue.claim(request).await?, free)) }
    }

    /// Says every few seconds that this worker lives.
    async fn heartbeats(&self) {
        let mut beats = interval_at(Instant::now() + HEARTBEAT_INTERVAL, HEARTBEAT_INTERVAL);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            beats.tick().await;
            let beat = self.parts.registry.heartbeat(self.record()).await;
            match (&beat, failing) {
                (Err(error), false) => tracing::warn!(%error, "the worker's heartbeat fails"),
                (Ok(()), true) => tracing::info!("the worker's heartbeat works again"),
                _ => {}
            }
            failing = beat.is_err();
            self.membership.send_replace(beat.err().map(|error| error.to_string()));
        }
    }

    /// Leaves the fleet; a registry that does not answer finds out by the missing heartbeats.
    async fn leave(&self) {
        let profile = &self.parts.profile;
        let left = self.parts.registry.leave(&profile.hostname, profile.instance);
        let missed = match timeout(Duration::from_secs(1), left).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer".to_owned()),
        };
        if let Some(error) = missed {
            tracing::warn!(error, "the worker could not say that it leaves; it is missed by its heartbeats");
        }
        self.parts.metrics.worker_left();
    }

    fn record(&self) -> Worker {
        let profile = &self.parts.profile;
        Worker {
            hostname: profile.hostname.clone(),
            instance: profile.instance,
            labels: profile.labels.clone(),
            state: WorkerState::Ready,
            slots: profile.slots,
            slots_used: 0,
            version: profile.version.to_owned(),
            commands_enabled: self.parts.executor.commands_enabled(),
            started_at: self.started_at,
            last_heartbeat_at: self.parts.clock.now(),
            clock_offset: SignedDuration::ZERO,
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Nobody left who could say it counts as the stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What came of asking for work: claims, and the slots for them.
type Claimed = Result<(Vec<Claim>, Vec<OwnedSemaphorePermit>), QueueError>;

/// Runs these claims.
fn start(claims: Vec<Claim>, permits: Vec<OwnedSemaphorePermit>, runner: &Arc<Runner>, runs: &mut JoinSet<()>) {
    for (claim, permit) in claims.into_iter().zip(permits) {
        let runner = Arc::clone(runner);
        runs.spawn(async move { runner.run(claim, permit).await });
    }
}

/// Asks for nothing more. What was claimed by then is run: nobody else would know of it before its lease ends.
async fn end_asking(asked: &mut JoinSet<Claimed>, runner: &Arc<Runner>, runs: &mut JoinSet<()>) {
    asked.abort_all();
    while let Some(ended) = asked.join_next().await {
        match ended {
            Ok(Ok((claims, permits))) => start(claims, permits, runner, runs),
            // The queue fails, and says so to whoever asks next.
            Ok(Err(_)) => {}
            Err(aborted) if aborted.is_cancelled() => {}
            Err(bug) => resume_unwind(bug.into_panic()),
        }
    }
}

/// All slots that are free, when there is at least one.
async fn free(slots: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let mut permits = Vec::new();
    permits.extend(Arc::clone(slots).acquire_owned().await.ok());
    while let Ok(permit) = Arc::clone(slots).try_acquire_owned() {
        permits.push(permit);
    }
    permits
}
