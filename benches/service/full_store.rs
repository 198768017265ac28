//! Fills a store through the queue's own port, so that every row and figure in it was written as the service writes it.
//!
//! What differs from the service is the order: the jobs come in chunks, each of which is submitted, claimed and ended
//! in a few transactions, and nothing waits for the disk.

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::join_all;
use osapi::{
    adapters::{
        clock::{SystemClock, UuidJobIds},
        queue::{
            Retention,
            embedded::{EmbeddedConfig, EmbeddedQueue},
        },
    },
    domain::{ExecutionEvent, FailureKind, InstanceId, JobId, NewJob, Operation, OperationKind, ResultDocument, Slot},
    ports::{
        driven::{ClaimRequest, Durability, JobIds, JobQueue, Outcome, Submission, Submitted},
        driving::{JobEvent, JobEvents},
    },
};
use uuid::Uuid;

use crate::client::Clients;

/// Jobs of one chunk.
const CHUNK: usize = 500;
/// Hosts that ran the jobs.
const HOSTS: usize = 20;
/// Of so many jobs, one failed.
const FAILED: usize = 16;
/// Of so many jobs, one waits for a host that is away.
const WAITING: usize = 100;
/// Of so many jobs, one was cancelled before it ran.
const CANCELLED: usize = 50;

/// Ids of some of the jobs, oldest first.
pub(crate) type Sample = Vec<JobId>;

struct Unheard;

impl JobEvents for Unheard {
    fn committed(&self, _: &[JobEvent]) {}
}

/// Fills the store in this directory with so many jobs.
pub(crate) fn fill(directory: &Path, jobs: usize, clients: &Clients) -> Sample {
    let config = EmbeddedConfig {
        data_dir: directory.join("data"),
        durability: Durability::ProcessCrash,
        max_depth: u64::MAX,
        lease: Duration::from_hours(1),
        retention: Retention { age: Duration::from_hours(24), max_jobs: u64::MAX, max_bytes: u64::MAX },
    };
    let queue = EmbeddedQueue::open(config, Arc::new(SystemClock), Arc::new(Unheard)).expect("an empty store");
    let mut sample = Sample::new();
    for chunk in 0..jobs.div_ceil(CHUNK) {
        let numbers = chunk * CHUNK..jobs.min((chunk + 1) * CHUNK);
        sample.extend(clients.wait(write(&*queue, chunk, numbers)));
    }
    queue.close();
    sample
}

/// One chunk: all of it is submitted, then what waits for this chunk's host is claimed and ended.
async fn write(queue: &dyn JobQueue, chunk: usize, numbers: std::ops::Range<usize>) -> Option<JobId> {
    let host = format!("web-{:02}.example", chunk % HOSTS);
    let submitted = join_all(numbers.clone().map(|number| {
        let job = job(number, &host);
        let effect = job.operation.kind().effect();
        queue.submit(Submission { job, effect, idempotency: None })
    }));
    let submitted: Vec<JobId> = submitted
        .await
        .into_iter()
        .map(|stored| match stored.expect("the store takes it") {
            Submitted::Created(job) => job.summary.id,
            other => panic!("{other:?}"),
        })
        .collect();
    let cancelled = numbers.zip(&submitted).filter(|(number, _)| number % CANCELLED == 1);
    join_all(cancelled.map(|(_, id)| queue.cancel(*id))).await;

    let request = ClaimRequest {
        worker: host.parse().expect("a hostname"),
        instance: InstanceId(Uuid::nil()),
        max: u32::try_from(CHUNK).expect("a small number"),
        commands_enabled: false,
    };
    let claims = queue.claim(request).await.expect("there is work");
    let ended = claims.iter().enumerate().map(|(number, claim)| queue.finish(claim.token, outcome(number)));
    assert!(join_all(ended).await.into_iter().all(|ended| ended.expect("the store takes it")));
    submitted.first().copied()
}

fn job(number: usize, host: &str) -> NewJob {
    let reads = OperationKind::ALL.into_iter().filter(|kind| kind.name().starts_with("node."));
    let kind = reads.cycle().nth(number % OperationKind::ALL.len()).expect("there are operations that take no input");
    let away = number.is_multiple_of(WAITING) || number % CANCELLED == 1;
    let (target, slot) = match number % 4 {
        _ if away => ("db-01.example", Slot::Host("db-01.example".parse().expect("a hostname"))),
        0 => ("group:web", Slot::Host(host.parse().expect("a hostname"))),
        1 => (host, Slot::Host(host.parse().expect("a hostname"))),
        _ => ("_any", Slot::Any),
    };
    NewJob {
        id: UuidJobIds.next(),
        operation: Operation::deserialize(kind, &mut serde_json::Deserializer::from_str("{}")).expect("no input"),
        target: target.parse().expect("a target"),
        slots: vec![slot],
        timeout: Duration::from_secs(30),
        max_attempts: 3,
        deadline: Duration::from_hours(24),
        created_by: "operator".to_owned(),
        retried_from: None,
    }
}

fn outcome(number: usize) -> Outcome {
    if number.is_multiple_of(FAILED) {
        let message = Some("the interface does not exist".to_owned());
        return Outcome { event: ExecutionEvent::Failed(FailureKind::Operation), result: None, message };
    }
    let result = r#"{"load1":0.52,"load5":0.58,"load15":0.59,"cpus":2}"#.to_owned();
    let result = Some(ResultDocument::from_json(result).expect("JSON"));
    Outcome { event: ExecutionEvent::Returned, result, message: None }
}
