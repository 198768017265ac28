//! Hosts whose clocks are wrong: they decide nothing about the work of others, and they are seen.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use osapi::{
    adapters::{metrics::NoopMetrics, queue::nats::NatsQueue},
    domain::{Effect, ExecutionEvent},
    ports::driven::{JobQueue, WorkerRegistry},
};
use tokio::time::timeout;

use super::{
    fixture::{Options, Reports, TestClock, World, outcome, request, worker},
    nats::{Nats, config},
};

const PATIENCE: Duration = Duration::from_secs(30);

const OFFSETS: [SignedDuration; 2] = [SignedDuration::from_mins(61), SignedDuration::from_mins(-61)];

/// A process of the fleet on a host whose clock is off; with a directory it serves the API.
async fn process_off(
    world: &World<Nats>,
    directory: Option<&Path>,
    offset: SignedDuration,
) -> (Arc<NatsQueue>, Arc<TestClock>) {
    let clock = Arc::new(TestClock::new());
    clock.step(offset);
    let config = config(world.backend.server.url(), directory, &world.options);
    let reports: Arc<Reports> = Arc::default();
    let queue = NatsQueue::connect(config, Arc::clone(&clock) as _, reports, Arc::new(NoopMetrics)).await.unwrap();
    (queue, clock)
}

fn leases(lease: Duration) -> World<Nats> {
    World::new(Options { lease, ..Options::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_process_whose_clock_is_off_or_set_ends_nothing_of_others() {
    let world = leases(Duration::from_secs(2));
    for offset in OFFSETS {
        let directory = tempfile::tempdir().unwrap();
        let (other, clock) = process_off(&world, Some(directory.path()), offset).await;
        let (read, once) =
            (world.submit(Effect::Read, &["_any"]).await, world.submit(Effect::AtMostOnce, &["_any"]).await);
        let waiting = world.submit(Effect::Read, &["web-9"]).await;
        let claims = world.claim("web-1", 2).await;
        let begun = Instant::now();
        let mut steps = [-offset, offset, -offset].into_iter();
        // Longer than a lease and its patience.
        while begun.elapsed() < Duration::from_secs(4) {
            for claim in &claims {
                assert!(world.queue().renew(claim.token).await.unwrap(), "with {offset}");
            }
            other.check().await.unwrap();
            if begun.elapsed() > Duration::from_secs(1)
                && let Some(step) = steps.next()
            {
                clock.step(step);
            }
        }
        for (id, status) in [(read, "running"), (once, "running"), (waiting, "queued")] {
            assert_eq!(world.status(id).await, status, "with {offset}");
        }
        for claim in &claims {
            assert!(world.finish(claim.token, ExecutionEvent::Returned).await, "with {offset}");
        }
        assert_eq!((world.end(read).await, world.end(once).await), ("completed", "completed"));
        world.queue().cancel(waiting).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_an_api_process_whose_clock_is_off_run_at_once() {
    let world = leases(Duration::from_secs(10));
    for offset in OFFSETS {
        let directory = tempfile::tempdir().unwrap();
        let (other, _clock) = process_off(&world, Some(directory.path()), offset).await;
        let job = world.new_job(osapi::domain::OperationKind::NodeLoadGet, "_any", &["_any"]);
        let id = job.id;
        other.submit(osapi::ports::driven::Submission { job, effect: Effect::Read, idempotency: None }).await.unwrap();
        let claim = world.claim_one("web-1").await;
        assert_eq!(claim.job_id, id);
        assert!(claim.time_left > Duration::from_mins(59), "{claim:?}");
        assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
        assert_eq!(world.end(id).await, "completed");
        let job = world.queue().job(id).await.unwrap().unwrap();
        let (created, finished) = (job.summary.created_at, job.summary.finished_at.unwrap());
        let took = finished.duration_since(created);
        assert!(took >= SignedDuration::from_secs(-20) && took < SignedDuration::from_secs(20), "{took}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_clock_is_off_takes_its_work_at_once_and_has_all_the_time_for_it() {
    let world = leases(Duration::from_secs(10));
    for offset in OFFSETS {
        let (worker, clock) = process_off(&world, None, offset).await;
        for slot in ["_any", "web-1"] {
            let id = world.submit(Effect::Read, &[slot]).await;
            let begun = Instant::now();
            let claims = timeout(PATIENCE, worker.claim(request("web-1", 1))).await.unwrap().unwrap();
            // A hint that was thrown away comes again after 1.5 s at the earliest.
            assert!(begun.elapsed() < Duration::from_millis(1_400), "{:?} with {offset}", begun.elapsed());
            assert_eq!(claims[0].job_id, id);
            assert!(claims[0].time_left > Duration::from_mins(59), "{claims:?}");
            clock.step(-offset);
            assert!(worker.finish(claims[0].token, outcome(ExecutionEvent::Returned)).await.unwrap());
            clock.step(offset);
            assert_eq!(world.end(id).await, "completed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_clock_is_off_is_seen_with_how_much() {
    let world = leases(Duration::from_secs(10));
    let (ahead, clock) = process_off(&world, None, SignedDuration::from_mins(61)).await;
    ahead.heartbeat(worker("web-1", 1)).await.unwrap();
    world.registry().heartbeat(worker("web-2", 2)).await.unwrap();
    let offsets = async |expected: [i64; 2]| {
        let near = |offset: SignedDuration, minutes| {
            (offset - SignedDuration::from_mins(minutes)).unsigned_abs() < Duration::from_secs(20)
        };
        let seen = async {
            loop {
                let workers = world.registry().connected().await.unwrap();
                let offsets: Vec<SignedDuration> = workers.iter().map(|worker| worker.clock_offset).collect();
                if offsets.len() == 2 && offsets.iter().zip(expected).all(|(offset, minutes)| near(*offset, minutes)) {
                    return;
                }
            }
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("never {expected:?}"));
    };
    offsets([61, 0]).await;
    clock.step(SignedDuration::from_mins(-122));
    ahead.heartbeat(worker("web-1", 1)).await.unwrap();
    offsets([-61, 0]).await;
    // An API process whose own clock is off sees all others off.
    world.clock.step(SignedDuration::from_mins(-61));
    ahead.heartbeat(worker("web-1", 1)).await.unwrap();
    world.registry().heartbeat(worker("web-2", 2)).await.unwrap();
    offsets([0, 0]).await;
}
