//! A queue under test: opened, killed and opened again, with a clock that the test sets and a record of all reports.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use osapi::{
    domain::{
        Effect, ExecutionEvent, Hostname, InstanceId, JobId, Labels, NewJob, Operation, OperationKind, QueueStats,
        ResultDocument, Slot, Target, Worker, WorkerState,
    },
    ports::{
        driven::{
            Claim, ClaimRequest, ClaimToken, Clock, JobQueue, Outcome, Submission, Submitted, Uptime, WorkerRegistry,
        },
        driving::{JobEvent, JobEvents},
    },
};

/// What one open queue is made with.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) max_depth: u64,
    pub(crate) lease: Duration,
    pub(crate) retention_age: Duration,
    pub(crate) retention_jobs: u64,
    /// How long removals stay visible, where there are others to see them.
    pub(crate) removals_visible: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self {
            max_depth: 1000,
            lease: Duration::from_mins(1),
            retention_age: day,
            retention_jobs: 1000,
            removals_visible: Duration::ZERO,
        }
    }
}

/// An adapter that can be opened, and killed as a power cut would.
pub(crate) trait Backend {
    fn new() -> Self;
    /// Opens the queue, or opens it again.
    fn open(&mut self, options: &Options, clock: Arc<dyn Clock>, events: Arc<dyn JobEvents>) -> Ports;
    /// Ends the queue without a farewell; what was acknowledged is there when it is opened again.
    fn kill(&mut self);
}

/// The two ports of an open queue.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) registry: Arc<dyn WorkerRegistry>,
}

/// The clocks of a host, which stand still until they are moved.
pub(crate) struct TestClock {
    /// Microseconds since 1970.
    day: AtomicI64,
    /// Microseconds since the host started.
    uptime: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.day.load(Ordering::SeqCst)).unwrap()
    }

    fn uptime(&self) -> Uptime {
        let elapsed = Duration::from_micros(u64::try_from(self.uptime.load(Ordering::SeqCst)).unwrap());
        Uptime { boot: uuid::Uuid::nil(), elapsed }
    }
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { day: AtomicI64::new(1_800_000_000_000_000), uptime: AtomicI64::new(1_000_000_000) }
    }

    /// Sets the time of day on or back.
    pub(crate) fn step(&self, by: SignedDuration) {
        self.day.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Lets time pass as it does, from now on.
    pub(crate) fn run(self: &Arc<Self>) {
        let (clock, mut last) = (Arc::clone(self), tokio::time::Instant::now());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            loop {
                let now = ticks.tick().await;
                clock.pass(Duration::from_micros(u64::try_from((now - last).as_micros()).unwrap()));
                last = now;
            }
        });
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.day.fetch_add(micros, Ordering::SeqCst);
        self.uptime.fetch_add(micros, Ordering::SeqCst);
    }
}

/// Everything that was reported.
#[derive(Default)]
pub(crate) struct Reports {
    all: Mutex<Vec<JobEvent>>,
    /// How long it takes to hear of an end, in milliseconds.
    slow: AtomicU64,
}

impl JobEvents for Reports {
    fn committed(&self, events: &[JobEvent]) {
        if events.iter().any(|event| matches!(event, JobEvent::Completed { .. })) {
            std::thread::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst)));
        }
        self.all.lock().unwrap().extend_from_slice(events);
    }
}

impl Reports {
    /// Takes its time to hear of an end.
    pub(crate) fn slow(&self, time: Duration) {
        self.slow.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn count(&self, which: impl Fn(&JobEvent) -> bool) -> usize {
        self.all.lock().unwrap().iter().filter(|event| which(event)).count()
    }
}

/// A queue, its clock and its reports.
pub(crate) struct World<B> {
    pub(crate) backend: B,
    pub(crate) options: Options,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) reports: Arc<Reports>,
    ports: Option<Ports>,
    ids: AtomicU64,
}

impl<B: Backend> World<B> {
    pub(crate) fn new(options: Options) -> Self {
        let mut world = Self {
            backend: B::new(),
            options,
            clock: Arc::new(TestClock::new()),
            reports: Arc::default(),
            ports: None,
            ids: AtomicU64::new(0),
        };
        world.reopen();
        world
    }

    /// Kills the queue, if it is open, and opens it.
    pub(crate) fn reopen(&mut self) {
        if self.ports.take().is_some() {
            self.backend.kill();
        }
        let (clock, reports) = (Arc::clone(&self.clock), Arc::clone(&self.reports));
        self.ports = Some(self.backend.open(&self.options, clock, reports));
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports.clone().unwrap()
    }

    pub(crate) fn queue(&self) -> Arc<dyn JobQueue> {
        self.ports().queue
    }

    pub(crate) fn registry(&self) -> Arc<dyn WorkerRegistry> {
        self.ports().registry
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    pub(crate) fn reported(&self, which: impl Fn(&JobEvent) -> bool) -> usize {
        self.reports.count(which)
    }

    /// A new job; later ones have larger ids.
    pub(crate) fn new_job(&self, kind: OperationKind, target: &str, slots: &[&str]) -> NewJob {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        let id = uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number));
        let slot = |name: &&str| if *name == "_any" { Slot::Any } else { Slot::Host(hostname(name)) };
        NewJob {
            id: JobId::try_from(id).unwrap(),
            operation: Operation::deserialize(kind, &mut serde_json::Deserializer::from_str("{}")).unwrap(),
            target: target.parse::<Target>().unwrap(),
            slots: slots.iter().map(slot).collect(),
            timeout: Duration::from_secs(30),
            max_attempts: 2,
            deadline: Duration::from_hours(1),
            created_by: "alice".to_owned(),
            retried_from: None,
        }
    }

    /// Submits a job with these slots and this effect.
    pub(crate) async fn submit(&self, effect: Effect, slots: &[&str]) -> JobId {
        let target = if slots == ["_any"] { "_any" } else { "_all" };
        let job = self.new_job(OperationKind::NodeLoadGet, target, slots);
        let id = job.id;
        let submitted = self.queue().submit(Submission { job, effect, idempotency: None }).await.unwrap();
        assert!(matches!(submitted, Submitted::Created(job) if job.summary.id == id));
        id
    }

    /// Claims so many executions for a host, in as many answers as that takes.
    pub(crate) async fn claim(&self, host: &str, count: usize) -> Vec<Claim> {
        let queue = self.queue();
        let mut claims = Vec::new();
        while claims.len() < count {
            let missing = u32::try_from(count - claims.len()).unwrap();
            let more = tokio::time::timeout(Duration::from_secs(20), queue.claim(request(host, missing)));
            claims.extend(more.await.expect("there is something to claim").unwrap());
        }
        claims
    }

    pub(crate) async fn claim_one(&self, host: &str) -> Claim {
        self.claim(host, 1).await.remove(0)
    }

    /// Whether there is nothing to claim for a host: a claim that is still waiting after the queue answered later
    /// questions.
    pub(crate) async fn nothing_for(&self, host: &str) -> bool {
        self.claim_now(host).await.is_empty()
    }

    /// What there is to claim for a host now.
    pub(crate) async fn claim_now(&self, host: &str) -> Vec<Claim> {
        let queue = self.queue();
        let claim = queue.claim(request(host, 100));
        tokio::pin!(claim);
        for _ in 0..3 {
            tokio::select! {
                biased;
                claims = &mut claim => return claims.unwrap(),
                checked = queue.check() => checked.unwrap(),
            }
        }
        Vec::new()
    }

    pub(crate) async fn status(&self, id: JobId) -> &'static str {
        self.queue().job(id).await.unwrap().map_or("gone", |job| job.summary.status.as_str())
    }

    pub(crate) async fn finish(&self, token: ClaimToken, event: ExecutionEvent) -> bool {
        self.queue().finish(token, outcome(event)).await.unwrap()
    }

    /// Waits for the end of a job, then says its status.
    pub(crate) async fn end(&self, id: JobId) -> &'static str {
        let queue = self.queue();
        let ended = tokio::time::timeout(Duration::from_secs(20), queue.ended(id)).await.expect("it ends").unwrap();
        assert_eq!(ended, queue.job(id).await.unwrap());
        ended.map_or("gone", |job| job.summary.status.as_str())
    }
}

/// The figures without those that grow while nothing happens.
pub(crate) fn still(stats: QueueStats) -> QueueStats {
    QueueStats { oldest_waiting: None, longest_run: None, ..stats }
}

pub(crate) fn hostname(name: &str) -> Hostname {
    name.parse().unwrap()
}

pub(crate) fn request(host: &str, max: u32) -> ClaimRequest {
    ClaimRequest { worker: hostname(host), instance: InstanceId(uuid::Uuid::nil()), max, commands_enabled: false }
}

pub(crate) fn outcome(event: ExecutionEvent) -> Outcome {
    let result = ResultDocument::from_json(r#"{"load1":0.5}"#.to_owned()).unwrap();
    Outcome { event, result: Some(result), message: None }
}

pub(crate) fn worker(host: &str, instance: u128) -> Worker {
    Worker {
        hostname: hostname(host),
        instance: InstanceId(uuid::Uuid::from_u128(instance)),
        labels: Labels::default(),
        state: WorkerState::Ready,
        slots: 4,
        slots_used: 0,
        version: "0.0.0".to_owned(),
        commands_enabled: false,
        started_at: Timestamp::UNIX_EPOCH,
        last_heartbeat_at: Timestamp::UNIX_EPOCH,
        clock_offset: SignedDuration::ZERO,
    }
}
