//! Further processes of a fleet under test, and what can be asked of the server behind their backs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::{self, stream::Stream};
use futures_util::TryStreamExt;
use osapi::{
    adapters::queue::nats::NatsQueue,
    domain::{ExecutionEvent, ExecutionStatus, Hostname, JobStatus, OperationKind, QueueStats},
    ports::driven::{Claim, JobQueue, MetricsPort, QueueOperation, QueueOutcome, RejectionReason},
};
use tokio::time::timeout;

use super::{
    fixture::{Options, Reports, World, outcome, request, still},
    nats::{Nats, config},
};

/// Long enough for everything that happens by itself here.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What a process counts that these tests ask for.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) reconnections: AtomicU64,
    /// Records that its copy lacks, as it last said.
    pub(super) copy_lag: AtomicU64,
}

impl MetricsPort for Counts {
    fn job_created(&self, _: OperationKind) {}
    fn job_completed(&self, _: OperationKind, _: JobStatus, _: Duration) {}
    fn job_rejected(&self, _: RejectionReason) {}
    fn execution_claimed(&self, _: OperationKind, _: Duration) {}
    fn execution_started(&self, _: OperationKind) {}
    fn execution_stopped(&self, _: OperationKind) {}
    fn execution_finished(&self, _: OperationKind, _: ExecutionStatus, _: Duration) {}
    fn execution_redelivered(&self, _: OperationKind) {}
    fn stale_result(&self) {}
    fn worker_joined(&self, _: &Hostname) {}
    fn worker_left(&self) {}
    fn queue_reconnected(&self) {
        self.reconnections.fetch_add(1, Ordering::SeqCst);
    }
    fn queue_copy_lag(&self, records: u64) {
        self.copy_lag.store(records, Ordering::SeqCst);
    }
    fn task_panicked(&self) {}
    fn queue_called(&self, _: QueueOperation, _: QueueOutcome, _: Duration) {}
}

/// Another process of the fleet: with a directory it serves the API, without it only works.
pub(super) struct Process {
    pub(super) queue: Arc<NatsQueue>,
    pub(super) reports: Arc<Reports>,
    pub(super) counts: Arc<Counts>,
}

pub(super) async fn process(world: &World<Nats>, url: String, directory: Option<&Path>) -> Process {
    process_with(world, url, directory, &world.options).await
}

pub(super) async fn process_with(
    world: &World<Nats>,
    url: String,
    directory: Option<&Path>,
    options: &Options,
) -> Process {
    let (reports, counts): (Arc<Reports>, Arc<Counts>) = Default::default();
    let config = config(url, directory, options);
    let (clock, heard, counted) = (Arc::clone(&world.clock), Arc::clone(&reports), Arc::clone(&counts));
    let queue = NatsQueue::connect(config, clock, heard, counted).await.unwrap();
    Process { queue, reports, counts }
}

pub(super) async fn worker_process(world: &World<Nats>) -> Process {
    process(world, world.backend.server.url(), None).await
}

impl Process {
    pub(super) async fn claim(&self, host: &str, max: u32) -> Vec<Claim> {
        timeout(PATIENCE, self.queue.claim(request(host, max))).await.expect("there is something to claim").unwrap()
    }

    pub(super) async fn finish(&self, claim: &Claim) -> bool {
        timeout(PATIENCE, self.queue.finish(claim.token, outcome(ExecutionEvent::Returned))).await.unwrap().unwrap()
    }
}

/// The figures without those that grow while nothing happens.
pub(super) async fn figures(queue: &dyn JobQueue) -> QueueStats {
    queue.check().await.unwrap();
    still(queue.stats().await.unwrap())
}

/// A client of the server that belongs to no process.
pub(super) async fn server(world: &World<Nats>) -> jetstream::Context {
    jetstream::new(async_nats::connect(world.backend.server.url()).await.unwrap())
}

/// One of the streams: `state`, `work`, `workers` or `keys`.
pub(super) async fn stream(server: &jetstream::Context, kind: &str) -> Stream {
    server.get_stream(format!("osapi-{kind}")).await.unwrap()
}

/// The subjects of a stream that a filter matches.
pub(super) async fn subjects(stream: &Stream, filter: &str) -> Vec<String> {
    let found = stream.info_with_subjects(filter).await.unwrap();
    found.map_ok(|(subject, _)| subject).try_collect().await.unwrap()
}

/// Waits until something is so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let so = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, so).await.unwrap_or_else(|_| panic!("never: {what}"));
}
