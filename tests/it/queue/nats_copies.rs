//! Copies of the jobs: of which streams they are, when they are shown, and what is looked up at the server.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use osapi::{
    adapters::queue::nats::NatsQueue,
    domain::{Effect, ExecutionEvent, JobId, OperationKind},
    ports::driven::{JobQueue, QueueErrorKind, Submission},
};
use rusqlite::Connection;
use tokio::time::timeout;

use super::{
    fixture::{Options, World},
    nats::Nats,
    nats_process::{PATIENCE, figures, process, until},
};

/// Jobs that a worker has ended.
async fn ended(world: &World<Nats>, count: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = world.submit(Effect::Read, &["_any"]).await;
        let claim = world.claim_one("web-1").await;
        assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
        assert_eq!(world.end(id).await, "completed");
        ids.push(id);
    }
    ids
}

async fn ready(queue: &dyn JobQueue) {
    until("it is ready", || async { queue.check().await.is_ok() }).await;
}

/// Whether a process shows exactly these jobs, of all.
async fn shows(queue: &dyn JobQueue, there: &[JobId], gone: &[JobId]) {
    for id in there {
        assert!(queue.job(*id).await.unwrap().is_some(), "{id} is missing");
    }
    for id in gone {
        assert!(queue.job(*id).await.unwrap().is_none(), "{id} exists nowhere");
    }
    let stats = figures(queue).await;
    assert_eq!(stats.ledger.created, there.len() as u64);
    assert!(stats.ledger_balances());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_restored_to_an_older_state_is_noticed_by_live_and_by_returning_processes() {
    let mut world = World::<Nats>::new(Options::default());
    let (directory, other_directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut kept = ended(&world, 5).await;
    let snapshot = world.backend.server.snapshot();
    ready(&*world.queue()).await;

    // One process is away after the first of the jobs that will be lost, one after all of them.
    let mut lost = ended(&world, 3).await;
    let early = process(&world, world.backend.server.url(), Some(other_directory.path())).await;
    ready(&*early.queue).await;
    early.queue.close().await;
    lost.extend(ended(&world, 3).await);
    let away = process(&world, world.backend.server.url(), Some(directory.path())).await;
    ready(&*away.queue).await;
    away.queue.close().await;

    world.backend.server.restore(&snapshot);
    until("the live process shows what there is", || {
        let (queue, lost) = (world.queue(), lost[5]);
        async move { queue.job(lost).await.is_ok_and(|job| job.is_none()) }
    })
    .await;
    ready(&*world.queue()).await;
    shows(&*world.queue(), &kept, &lost).await;

    // The stream comes to where it was, and goes beyond.
    kept.extend(ended(&world, 8).await);
    shows(&*world.queue(), &kept, &lost).await;
    for directory in [&directory, &other_directory] {
        let back = process(&world, world.backend.server.url(), Some(directory.path())).await;
        ready(&*back.queue).await;
        shows(&*back.queue, &kept, &lost).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_same_streams_goes_on_where_it_was() {
    let world = World::<Nats>::new(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let other = process(&world, world.backend.server.url(), Some(directory.path())).await;
    ended(&world, 3).await;
    // The last records that it takes are replaced while it is away: a claim by its end.
    world.submit(Effect::Read, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    ready(&*other.queue).await;
    other.queue.close().await;
    assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    // A copy that was made anew would lack this.
    let marked = Connection::open(directory.path().join("read-model.db")).unwrap();
    marked.execute("UPDATE job SET created_by = 'marked'", []).unwrap();
    drop(marked);
    let back = process(&world, world.backend.server.url(), Some(directory.path())).await;
    ready(&*back.queue).await;
    let job = back.queue.job(claim.job_id).await.unwrap().unwrap();
    assert_eq!((job.summary.created_by.as_str(), job.summary.status.as_str()), ("marked", "completed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_being_made_is_never_shown() {
    let world = World::<Nats>::new(Options { max_depth: 100_000, ..Options::default() });
    let queue = world.queue();
    let mut ids = Vec::new();
    while ids.len() < 1_500 {
        let jobs = futures_util::future::join_all((0..50).map(|_| {
            let job = world.new_job(OperationKind::NodeLoadGet, "_all", &["web-1"]);
            let (queue, id) = (Arc::clone(&queue), job.id);
            async move {
                let submission = Submission { job, effect: Effect::Read, idempotency: None };
                queue.submit(submission).await.map(|_| id)
            }
        }));
        ids.extend(jobs.await.into_iter().filter_map(Result::ok));
    }
    let created = figures(&*queue).await.ledger.created;
    let directory = tempfile::tempdir().unwrap();
    let cold = process(&world, world.backend.server.url(), Some(directory.path())).await;
    let mut refused = 0;
    let begun = Instant::now();
    loop {
        match cold.queue.stats().await {
            Ok(stats) => {
                assert_eq!(stats.ledger.created, created, "a part was shown");
                break;
            }
            Err(error) => assert_eq!(error.kind(), QueueErrorKind::Unavailable),
        }
        refused += 1;
        assert!(begun.elapsed() < PATIENCE);
    }
    for id in ids.iter().step_by(97) {
        assert!(cold.queue.job(*id).await.unwrap().is_some(), "after {refused} refusals");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_another_process_just_accepted_is_found_at_once() {
    let world = World::<Nats>::new(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let other = process(&world, world.backend.server.url(), Some(directory.path())).await;
    ready(&*other.queue).await;
    for number in 0..200 {
        let id = world.submit(Effect::Read, &["web-1"]).await;
        match number % 4 {
            0 => assert!(other.queue.job(id).await.unwrap().is_some()),
            1 => {
                let waits = timeout(Duration::from_millis(20), other.queue.ended(id));
                assert!(waits.await.is_err(), "it has not ended");
            }
            2 => {
                let cancelled = other.queue.cancel(id).await.unwrap();
                assert!(matches!(cancelled, osapi::ports::driven::Cancelled::Accepted(_)), "{cancelled:?}");
            }
            _ => {
                let deleted = other.queue.delete(id).await.unwrap();
                assert!(matches!(deleted, osapi::ports::driven::Deleted::NotTerminal(_)), "{deleted:?}");
            }
        }
    }
}

/// Whether a process says that it cannot answer: to a probe, to reads, in its figures.
async fn refuses(queue: &NatsQueue, id: JobId) -> bool {
    queue.check().await.is_err() && queue.job(id).await.is_err() && queue.stats().await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_cannot_be_changed_is_not_shown_until_it_can() {
    let world = World::<Nats>::new(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let other = process(&world, world.backend.server.url(), Some(directory.path())).await;
    ready(&*other.queue).await;
    let locked = Connection::open(directory.path().join("read-model.db")).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let id = world.submit(Effect::Read, &["_any"]).await;
    until("it refuses to answer", || async { refuses(&other.queue, id).await }).await;
    until("it says what it lacks", || async { other.counts.copy_lag.load(Ordering::SeqCst) > 0 }).await;
    locked.execute_batch("ROLLBACK").unwrap();
    ready(&*other.queue).await;
    assert!(other.queue.job(id).await.unwrap().is_some());
    assert_eq!(other.counts.copy_lag.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_file_is_removed_is_not_shown() {
    let world = World::<Nats>::new(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let other = process(&world, world.backend.server.url(), Some(directory.path())).await;
    ready(&*other.queue).await;
    std::fs::remove_file(directory.path().join("read-model.db")).unwrap();
    let id = world.submit(Effect::Read, &["_any"]).await;
    until("it refuses to answer", || async { refuses(&other.queue, id).await }).await;
    let said = other.queue.check().await.expect_err("it refuses").to_string();
    assert!(said.contains("read-model.db was removed"), "{said}");
}
