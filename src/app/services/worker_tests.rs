//! The worker with fake operations: slow, failing, panicking, hanging and never-to-be-repeated ones.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
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
        Effect, ExecutionEvent, Failure, FailureKind, Idempotency, InstanceId, JobId, Operation, OperationKind, Output,
        QueueStats,
        operation::{node_load_get::NodeLoad, node_uptime_get::NodeUptime},
    },
    ports::driven::{
        Cancelled, Claim, ClaimRequest, ClaimToken, Deleted, JobPage, JobQueue, MockClock, MockMetricsPort,
        MockWorkerRegistry, OperationExecutor, Outcome, PageRequest, QueueError, QueueErrorKind, QueueInfo, Revocation,
        StopSignal, Submission, Submitted,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(9);
const GRACE: Duration = Duration::from_secs(10);

/// A queue with claims to hand out, which writes down what becomes of them.
struct FakeQueue {
    claims: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Claim, QueueError>>>,
    asked: Mutex<Vec<u32>>,
    renewals: Mutex<VecDeque<Result<bool, QueueError>>>,
    revocation: watch::Receiver<Option<Revocation>>,
    finish_answers: Mutex<VecDeque<Result<bool, QueueError>>>,
    finished: mpsc::UnboundedSender<(ClaimToken, Outcome)>,
}

fn unavailable() -> QueueError {
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
enum Behaviour {
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

struct FakeExecutor(Behaviour);

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

fn output() -> Output {
    Output::NodeLoadGet(NodeLoad { load1: 1.0, load5: 2.0, load15: 3.0, cpus: 2 })
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}

fn claim(token: u64) -> Claim {
    let mut nothing = serde_json::Deserializer::from_str("{}");
    Claim {
        token: ClaimToken(token),
        job_id: JobId::try_from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(token)))
            .expect("an id of version 7"),
        operation: Operation::deserialize(OperationKind::NodeLoadGet, &mut nothing).expect("no input"),
        effect: Effect::AtMostOnce,
        attempt: 1,
        timeout: 30 * SECOND,
        deadline_at: now() + jiff::SignedDuration::from_hours(1),
    }
}

/// How often the metrics were told that an operation started, stopped, or was too late.
#[derive(Default)]
struct Counts {
    started: usize,
    stopped: usize,
    /// At the same time.
    most: usize,
    stale: usize,
}

/// A worker at work.
struct Working {
    queue: Arc<FakeQueue>,
    claims: mpsc::UnboundedSender<Result<Claim, QueueError>>,
    finished: mpsc::UnboundedReceiver<(ClaimToken, Outcome)>,
    revoke: watch::Sender<Option<Revocation>>,
    stop: watch::Sender<bool>,
    counts: Arc<Mutex<Counts>>,
    left: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

async fn work(behaviour: Behaviour) -> Working {
    let (claims, claimed) = mpsc::unbounded_channel();
    let (done, finished) = mpsc::unbounded_channel();
    let (revoke, revocation) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let queue = Arc::new(FakeQueue {
        claims: tokio::sync::Mutex::new(claimed),
        asked: Mutex::default(),
        renewals: Mutex::default(),
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
    fn give(&self, token: u64) {
        self.claims.send(Ok(claim(token))).expect("the worker listens");
    }

    fn counts(&self, which: impl Fn(&Counts) -> (usize, usize)) -> (usize, usize) {
        which(&self.counts.lock().expect("lock"))
    }

    async fn outcome(&mut self) -> Outcome {
        self.finished.recv().await.expect("an outcome").1
    }

    /// Stops the worker, and shows that every count of a start has its count of a stop.
    async fn stop(self) -> Duration {
        let asked = Instant::now();
        self.stop.send_replace(true);
        self.task.await.expect("the worker does not panic");
        assert!(*self.left.borrow(), "the worker did not leave the fleet");
        let counts = self.counts.lock().expect("lock");
        assert_eq!(counts.started, counts.stopped, "active operations leaked");
        asked.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_recorded_under_its_claim() {
    let mut working = work(Behaviour::Returns { after: SECOND }).await;
    working.give(41);
    let (token, outcome) = working.finished.recv().await.expect("an outcome");
    assert_eq!((token, outcome.event, outcome.message), (ClaimToken(41), ExecutionEvent::Returned, None));
    let result = outcome.result.expect("a result");
    assert_eq!(result.as_json(), r#"{"load1":1.0,"load5":2.0,"load15":3.0,"cpus":2}"#);
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_recorded_with_its_words() {
    let mut working = work(Behaviour::Fails).await;
    working.give(1);
    let outcome = working.outcome().await;
    assert_eq!(outcome.event, ExecutionEvent::Failed(FailureKind::Operation));
    assert_eq!(outcome.message.as_deref(), Some("no such interface"));
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_run_and_nothing_else() {
    let mut working = work(Behaviour::Panics).await;
    for token in 1..=3 {
        working.give(token);
        assert_eq!(working.outcome().await.event, ExecutionEvent::Failed(FailureKind::Panic));
    }
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_hangs_times_out_even_when_it_ignores_the_stop() {
    let mut working = work(Behaviour::Hangs).await;
    let begun = Instant::now();
    working.give(1);
    assert_eq!(working.outcome().await.event, ExecutionEvent::Failed(FailureKind::Timeout));
    let took = begun.elapsed();
    assert!(took >= 30 * SECOND && took < 34 * SECOND, "{took:?}");
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_capped_by_the_deadline_and_keeps_what_there_is() {
    let mut working = work(Behaviour::StopsWhenTold).await;
    let begun = Instant::now();
    let near = Claim { deadline_at: now() + jiff::SignedDuration::from_secs(4), ..claim(1) };
    working.claims.send(Ok(near)).expect("the worker listens");
    let outcome = working.outcome().await;
    assert_eq!(outcome.event, ExecutionEvent::Failed(FailureKind::Timeout));
    assert_eq!(outcome.result.expect("the partial result").as_json(), r#"{"uptime_seconds":7.0}"#);
    assert_eq!(begun.elapsed().as_secs(), 4);
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_confirmed_within_five_seconds() {
    for behaviour in [Behaviour::StopsWhenTold, Behaviour::Hangs] {
        let mut working = work(behaviour).await;
        working.give(1);
        tokio::task::yield_now().await;
        let asked = Instant::now();
        working.revoke.send_replace(Some(Revocation::CancelRequested));
        assert_eq!(working.outcome().await.event, ExecutionEvent::CancelConfirmed);
        assert!(asked.elapsed() < 5 * SECOND, "{:?}", asked.elapsed());
        working.revoke.send_replace(None);
        working.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_longer_than_its_lease_runs_once_while_its_worker_lives() {
    let mut working = work(Behaviour::Returns { after: 25 * SECOND }).await;
    working.queue.renewals.lock().expect("lock").extend([Ok(true), Err(unavailable()), Ok(true)]);
    working.give(1);
    assert_eq!(working.outcome().await.event, ExecutionEvent::Returned);
    assert_eq!(working.counts.lock().expect("lock").started, 1);
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_is_lost_is_dropped_and_counted_as_stale() {
    for lost in [vec![Ok(false)], vec![Err(unavailable()), Err(unavailable()), Err(unavailable())]] {
        let working = work(Behaviour::Hangs).await;
        *working.queue.renewals.lock().expect("lock") = lost.into();
        working.give(1);
        tokio::time::sleep(LEASE + SECOND).await;
        {
            let counts = working.counts.lock().expect("lock");
            assert_eq!((counts.started, counts.stopped, counts.stale), (1, 1, 1));
        }
        working.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_for_a_void_claim_is_counted_as_stale() {
    let working = work(Behaviour::Fails).await;
    working.queue.finish_answers.lock().expect("lock").push_back(Ok(false));
    working.give(1);
    tokio::time::sleep(SECOND).await;
    assert_eq!(working.counts.lock().expect("lock").stale, 1);
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_is_recorded_again_until_the_queue_takes_it() {
    let mut working = work(Behaviour::Fails).await;
    working.queue.finish_answers.lock().expect("lock").extend([Err(unavailable()), Err(unavailable())]);
    working.give(1);
    assert_eq!(working.outcome().await.event, ExecutionEvent::Failed(FailureKind::Operation));
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_is_claimed_than_there_are_free_slots() {
    let mut working = work(Behaviour::Returns { after: SECOND }).await;
    for token in 1..=5 {
        working.give(token);
    }
    for _ in 1..=5 {
        working.outcome().await;
    }
    assert_eq!(working.queue.asked.lock().expect("lock").iter().max(), Some(&2));
    assert_eq!(working.counts(|counts| (counts.started, counts.most)), (5, 2));
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_becomes_free_does_not_wait_for_the_answer_to_another() {
    let mut working = work(Behaviour::Returns { after: SECOND }).await;
    working.give(1);
    working.outcome().await;
    tokio::task::yield_now().await;
    // Both at first, the other one when the job came, and that of the job when it had ended.
    assert_eq!(*working.queue.asked.lock().expect("lock"), [2, 1, 1]);
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_while_the_end_of_its_run_is_recorded() {
    let mut working = work(Behaviour::Returns { after: SECOND }).await;
    working.queue.finish_answers.lock().expect("lock").extend((0..4).map(|_| Err(unavailable())));
    for token in 1..=3 {
        working.give(token);
    }
    tokio::time::sleep(SECOND + Duration::from_millis(10)).await;
    assert!(working.finished.try_recv().is_err(), "nothing has been recorded");
    assert_eq!(working.counts(|counts| (counts.started, counts.stopped)), (3, 2));
    for _ in 1..=3 {
        working.outcome().await;
    }
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn claiming_goes_on_after_the_queue_was_out_of_reach() {
    let mut working = work(Behaviour::Fails).await;
    working.claims.send(Err(unavailable())).expect("the worker listens");
    working.claims.send(Err(unavailable())).expect("the worker listens");
    working.give(1);
    working.outcome().await;
    working.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_running_work_finish_and_claims_no_more() {
    let mut working = work(Behaviour::Returns { after: 5 * SECOND }).await;
    working.give(1);
    tokio::time::sleep(SECOND).await;
    working.stop.send_replace(true);
    working.give(2);
    assert_eq!(working.outcome().await.event, ExecutionEvent::Returned);
    assert_eq!(working.counts.lock().expect("lock").started, 1);
    assert!(working.stop().await < SECOND);
}

#[tokio::test(start_paused = true)]
async fn work_that_outlasts_the_grace_time_ends_as_interrupted_within_it() {
    for behaviour in [Behaviour::StopsWhenTold, Behaviour::Hangs] {
        let mut working = work(behaviour).await;
        working.give(1);
        tokio::time::sleep(SECOND).await;
        working.stop.send_replace(true);
        assert_eq!(working.outcome().await.event, ExecutionEvent::WorkerStopped);
        assert!(working.stop().await <= GRACE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_in_time_even_when_nothing_can_be_recorded() {
    let working = work(Behaviour::Fails).await;
    working.queue.finish_answers.lock().expect("lock").extend((0..1000).map(|_| Err(unavailable())));
    working.give(1);
    tokio::time::sleep(SECOND).await;
    assert_eq!(working.stop().await.as_secs(), GRACE.as_secs());
}

#[tokio::test]
async fn a_taken_hostname_stops_the_start() {
    let mut registry = MockWorkerRegistry::new();
    registry
        .expect_heartbeat()
        .once()
        .returning(|_| Err(QueueError::new(QueueErrorKind::HostnameTaken, "another worker is web-1")));
    let (_, claimed) = mpsc::unbounded_channel();
    let (finished, _) = mpsc::unbounded_channel();
    let (_, revocation) = watch::channel(None);
    let mut clock = MockClock::new();
    clock.expect_now().returning(now);
    let joined = WorkerService::join(WorkerParts {
        queue: Arc::new(FakeQueue {
            claims: tokio::sync::Mutex::new(claimed),
            asked: Mutex::default(),
            renewals: Mutex::default(),
            revocation,
            finish_answers: Mutex::default(),
            finished,
        }),
        registry: Arc::new(registry),
        executor: Arc::new(FakeExecutor(Behaviour::Fails)),
        metrics: Arc::new(MockMetricsPort::new()),
        clock: Arc::new(clock),
        profile: WorkerProfile {
            hostname: "web-1".parse().expect("a hostname"),
            instance: InstanceId(uuid::Uuid::nil()),
            labels: crate::domain::Labels::default(),
            slots: 1,
            grace: GRACE,
            lease: LEASE,
            version: "0.0.0",
        },
    })
    .await;
    assert_eq!(joined.err().map(|error| error.kind()), Some(QueueErrorKind::HostnameTaken));
}
