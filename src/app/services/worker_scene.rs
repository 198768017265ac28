//! A worker at work on a queue that the test fills: fakes of the queue and of the operations, and what was counted.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{WorkerParts, WorkerProfile, WorkerService};
use crate::{
    domain::{
        Effect, Failure, FailureKind, Idempotency, InstanceId, JobId, Operation, OperationKind, Output, QueueStats,
        operation::{node_load_get::NodeLoad, node_uptime_get::NodeUptime},
    },
    ports::driven::{
        Cancelled, Claim, ClaimRequest, ClaimToken, Deleted, JobPage, JobQueue, MockClock, MockMetricsPort,
        MockWorkerRegistry, OperationExecutor, Outcome, PageRequest, QueueError, QueueErrorKind, QueueInfo, Revocation,
        StopSignal, Submission, Submitted,
    },
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const LEASE: Duration = Duration::from_secs(9);
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// A queue with claims to hand out, which writes down what becomes of them.
pub(super) struct FakeQueue {
    pub(super) claims: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Claim, QueueError>>>,
    pub(super) asked: Mutex<Vec<u32>>,
    pub(super) renewals: Mutex<VecDeque<Result<bool, QueueError>>>,
    /// How often a lease was renewed.
    pub(super) renewed: AtomicUsize,
    pub(super) revocation: watch::Receiver<Option<Revocation>>,
    pub(super) finish_answers: Mutex<VecDeque<Result<bool, QueueError>>>,
    pub(super) finished: mpsc::UnboundedSender<(ClaimToken, Outcome)>,
}

pub(super) fn unavailable() -> QueueError {
    QueueError::new(QueueErrorKind::Unavailable, "out of reach")
}

#[async_trait]
impl JobQueue for FakeQueue {
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, QueueError> {
        self.asked.lock().expect("lock").push(request.max);
        let mut claims = self.claims.lock().await;
        let Some(first) = claims.recv().await else { return std::future::pending().await };
        let mut claimed = vec![first?];
        while claimed.len() < request.max as usize
            && let Ok(claim) = claims.try_recv()
        {
            claimed.push(claim?);
        }
        Ok(claimed)
    }

    async fn renew(&self, _: ClaimToken) -> Result<bool, QueueError> {
        self.renewed.fetch_add(1, Ordering::SeqCst);
        self.renewals.lock().expect("lock").pop_front().unwrap_or(Ok(true))
    }

    async fn revoked(&self, _: ClaimToken) -> Result<Revocation, QueueError> {
        let mut revocation = self.revocation.clone();
        let revoked = revocation.wait_for(Option::is_some).await.map(|revocation| *revocation);
        revoked.ok().flatten().ok_or_else(unavailable)
    }

    async fn finish(&self, token: ClaimToken, outcome: Outcome) -> Result<bool, QueueError> {
        let answer = self.finish_answers.lock().expect("lock").pop_front().unwrap_or(Ok(true));
        if matches!(answer, Ok(true)) {
            self.finished.send((token, outcome)).expect("the test listens");
        }
        answer
    }

    fn info(&self) -> QueueInfo {
        unreachable!("not the worker's business")
    }
    async fn check(&self) -> Result<(), QueueError> {
        unreachable!("not the worker's business")
    }
    async fn submit(&self, _: Submission) -> Result<Submitted, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn replay(&self, _: &Idempotency) -> Result<Option<Submitted>, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn job(&self, _: JobId) -> Result<Option<crate::domain::Job>, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn jobs(&self, _: PageRequest) -> Result<JobPage, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn stats(&self) -> Result<QueueStats, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn ended(&self, _: JobId) -> Result<Option<crate::domain::Job>, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn cancel(&self, _: JobId) -> Result<Cancelled, QueueError> {
        unreachable!("not the worker's business")
    }
    async fn delete(&self, _: JobId) -> Result<Deleted, QueueError> {
        unreachable!("not the worker's business")
    }
}

/// What the fake operation does.
#[derive(Clone, Copy)]
pub(super) enum Behaviour {
    Returns {
        after: Duration,
    },
    Fails,
    Panics,
    /// Never returns, whatever it is told.
    Hangs,
    /// Like a command: ends when it is told to and keeps what it has.
    StopsWhenTold,
}

pub(super) struct FakeExecutor(pub(super) Behaviour);

#[async_trait]
impl OperationExecutor for FakeExecutor {
    fn commands_enabled(&self) -> bool {
        false
    }

    async fn execute(&self, _: Operation, mut stop: StopSignal) -> Result<Output, Failure> {
        match self.0 {
            Behaviour::Returns { after } => {
                tokio::time::sleep(after).await;
                Ok(output())
            }
            Behaviour::Fails => Err(Failure::operation("no such interface")),
            Behaviour::Panics => panic!("an operation with a bug"),
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::StopsWhenTold => {
                let _ = stop.wait_for(|stop| *stop).await;
                let partial = Some(Box::new(Output::NodeUptimeGet(NodeUptime { uptime_seconds: 7.0 })));
                Err(Failure { kind: FailureKind::ExitStatus, message: "killed".to_owned(), partial })
            }
        }
    }
}

pub(super) fn output() -> Output {
    Output::NodeLoadGet(NodeLoad { load1: 1.0, load5: 2.0, load15: 3.0, cpus: 2 })
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}

pub(super) fn claim(token: u64) -> Claim {
    let mut nothing = serde_json::Deserializer::from_str("{}");
    Claim {
        token: ClaimToken(token),
        job_id: JobId::try_from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(token)))
            .expect("an id of version 7"),
        operation: Operation::deserialize(OperationKind::NodeLoadGet, &mut nothing).expect("no input"),
        effect: Effect::AtMostOnce,
        attempt: 1,
        timeout: 30 * SECOND,
        time_left: Duration::from_hours(1),
    }
}

/// How often the metrics were told that an operation started, stopped, or was too late.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) started: usize,
    pub(super) stopped: usize,
    /// At the same time.
    pub(super) most: usize,
    pub(super) stale: usize,
}

/// A worker at work.
pub(super) struct Working {
    pub(super) queue: Arc<FakeQueue>,
    pub(super) claims: mpsc::UnboundedSender<Result<Claim, QueueError>>,
    pub(super) finished: mpsc::UnboundedReceiver<(ClaimToken, Outcome)>,
    pub(super) revoke: watch::Sender<Option<Revocation>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) counts: Arc<Mutex<Counts>>,
    pub(super) left: watch::Receiver<bool>,
    pub(super) task: JoinHandle<()>,
}

pub(super) async fn work(behaviour: Behaviour) -> Working {
    let (claims, claimed) = mpsc::unbounded_channel();
    let (done, finished) = mpsc::unbounded_channel();
    let (revoke, revocation) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let queue = Arc::new(FakeQueue {
        claims: tokio::sync::Mutex::new(claimed),
        asked: Mutex::default(),
        renewals: Mutex::default(),
        renewed: AtomicUsize::new(0),
        revocation,
        finish_answers: Mutex::default(),
        finished: done,
    });

    let counts = Arc::new(Mutex::new(Counts::default()));
    let mut metrics = MockMetricsPort::new();
    let count = |change: fn(&mut Counts)| {
        let counts = Arc::clone(&counts);
        move || change(&mut counts.lock().expect("lock"))
    };
    let started = count(|counts| {
        counts.started += 1;
        counts.most = counts.most.max(counts.started - counts.stopped);
    });
    metrics.expect_execution_started().returning(move |_| started());
    let stopped_one = count(|counts| counts.stopped += 1);
    metrics.expect_execution_stopped().returning(move |_| stopped_one());
    metrics.expect_stale_result().returning(count(|counts| counts.stale += 1));
    metrics.expect_worker_joined().once().return_const(());
    metrics.expect_worker_left().return_const(());

    let (leave, left) = watch::channel(false);
    let mut registry = MockWorkerRegistry::new();
    registry.expect_heartbeat().returning(|_| Ok(()));
    registry.expect_leave().returning(move |_, _| {
        leave.send_replace(true);
        Ok(())
    });
    let mut clock = MockClock::new();
    clock.expect_now().returning(now);

    let worker = WorkerService::join(WorkerParts {
        queue: Arc::clone(&queue) as Arc<dyn JobQueue>,
        registry: Arc::new(registry),
        executor: Arc::new(FakeExecutor(behaviour)),
        metrics: Arc::new(metrics),
        clock: Arc::new(clock),
        profile: WorkerProfile {
            hostname: "web-1".parse().expect("a hostname"),
            instance: InstanceId(uuid::Uuid::nil()),
            labels: crate::domain::Labels::default(),
            slots: 2,
            grace: GRACE,
            lease: LEASE,
            version: "0.0.0",
        },
    })
    .await
    .expect("joins");
    let task = tokio::spawn(worker.work(stopped));
    Working { queue, claims, finished, revoke, stop, counts, left, task }
}

impl Working {
    pub(super) fn give(&self, token: u64) {
        self.claims.send(Ok(claim(token))).expect("the worker listens");
    }

    pub(super) fn counts(&self, which: impl Fn(&Counts) -> (usize, usize)) -> (usize, usize) {
        which(&self.counts.lock().expect("lock"))
    }

    pub(super) async fn outcome(&mut self) -> Outcome {
        self.finished.recv().await.expect("an outcome").1
    }

    /// Stops the worker, and shows that every count of a start has its count of a stop.
    pub(super) async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.stop.send_replace(true);
        self.task.await.expect("the worker does not panic");
        assert!(*self.left.borrow(), "the worker did not leave the fleet");
        let counts = self.counts.lock().expect("lock");
        assert_eq!(counts.started, counts.stopped, "active operations leaked");
        asked.elapsed()
    }
}
