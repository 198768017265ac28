//! What a fleet survives: servers that end and come back, processes that vanish or are cut off, copies that start late.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use osapi::{
    adapters::queue::nats::NatsQueue,
    domain::{Effect, ExecutionEvent, JobId, JobStatus, OperationKind, WorkerState},
    ports::{
        driven::{JobQueue, QueueErrorKind, Revocation, Submission, WorkerRegistry},
        driving::JobEvent,
    },
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

use super::{
    cable::{Cable, State},
    fixture::{Options, Reports, World, hostname, outcome, request, worker},
    nats::{Nats, config},
    nats_process::{Counts, PATIENCE, Process, figures, process, process_with, server, stream, until, worker_process},
};

fn short_leases() -> Options {
    Options { lease: Duration::from_millis(400), ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_and_comes_back_has_lost_nothing() {
    let mut world = World::<Nats>::new(Options::default());
    let worker = worker_process(&world).await;
    let before = world.submit(Effect::Read, &["_any"]).await;
    let waiting = world.submit(Effect::AtMostOnce, &["web-2"]).await;
    let running = worker.claim("web-1", 1).await.remove(0);
    assert_eq!(running.job_id, before);

    world.backend.server.kill();
    until("the end of the connection is known", || async {
        world.queue().check().await.is_err_and(|error| error.to_string().contains("cannot be reached"))
    })
    .await;
    let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
    let never = job.id;
    let refused = world.queue().submit(Submission { job, effect: Effect::Read, idempotency: None }).await;
    let refused = refused.expect_err("it is not stored");
    assert_eq!((refused.kind(), refused.uncertain()), (QueueErrorKind::Unavailable, false));
    assert!(worker.queue.finish(running.token, outcome(ExecutionEvent::Returned)).await.is_err());

    // A claim that waits meanwhile is served when the server is there again.
    let waits = tokio::spawn({
        let queue = Arc::clone(&worker.queue);
        async move { queue.claim(request("web-1", 1)).await }
    });
    world.backend.server.restart();
    let ready = async { while world.queue().check().await.is_err() {} };
    timeout(PATIENCE, ready).await.expect("it recovers by itself");
    let after = world.submit(Effect::Read, &["_any"]).await;
    let claims = timeout(PATIENCE, waits).await.expect("it is served").unwrap().unwrap();
    assert_eq!(claims.iter().map(|claim| claim.job_id).collect::<Vec<_>>(), [after]);
    let ended = async { while worker.queue.finish(running.token, outcome(ExecutionEvent::Returned)).await.is_err() {} };
    timeout(PATIENCE, ended).await.expect("the end of the run is recorded");
    assert_eq!(world.end(before).await, "completed");
    assert_eq!(world.status(waiting).await, "queued");
    assert!(world.queue().job(never).await.unwrap().is_none(), "what was not sent does not come later");
    assert_eq!(worker.counts.reconnections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vanished_worker_ran_runs_again_or_is_lost() {
    let world = World::<Nats>::new(short_leases());
    let (first, second) = (worker_process(&world).await, worker_process(&world).await);
    let safe = world.submit(Effect::Read, &["_any"]).await;
    let once = world.submit(Effect::AtMostOnce, &["_any"]).await;
    assert_eq!(first.claim("web-1", 2).await.len(), 2);
    first.queue.close().await;
    let again = second.claim("web-2", 2).await;
    assert_eq!(again.iter().map(|claim| (claim.job_id, claim.attempt)).collect::<Vec<_>>(), [(safe, 2)]);
    assert!(second.finish(&again[0]).await);
    assert_eq!(world.end(safe).await, "completed");
    assert_eq!(world.end(once).await, "lost");
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Redelivered { .. })), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_does_not_hear_of_a_worker_asks_the_server_before_it_gives_it_up() {
    let world = World::<Nats>::new(Options { lease: Duration::from_secs(1), ..Options::default() });
    let worker = worker_process(&world).await;
    let id = world.submit(Effect::AtMostOnce, &["_any"]).await;
    let claim = worker.claim("web-1", 1).await.remove(0);
    let context = server(&world).await;
    let workers = stream(&context, "workers").await;
    let begun = Instant::now();
    let mut deaf = 0;
    while begun.elapsed() < Duration::from_secs(5) {
        // The process that serves hears nothing of workers, and does not know it: its consumers stand still.
        let mut names = workers.consumer_names();
        while let Some(Ok(name)) = names.next().await {
            let pause = format!("CONSUMER.PAUSE.osapi-workers.{name}");
            let until = serde_json::json!({ "pause_until": "2099-01-01T00:00:00Z" });
            let paused: serde_json::Value = context.request(pause, &until).await.unwrap();
            deaf += usize::from(paused["paused"] == true);
        }
        assert!(worker.queue.renew(claim.token).await.unwrap(), "after {:?}", begun.elapsed());
        assert_eq!(world.status(id).await, "running", "after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(deaf > 0);
    assert!(worker.finish(&claim).await);
    assert_eq!(world.end(id).await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_silent_keeps_its_claim_for_its_whole_lease() {
    // The lease goes with the claim, and is longer than that of the process which watches it.
    let world = World::<Nats>::new(Options { lease: Duration::from_millis(300), ..Options::default() });
    let options = Options { lease: Duration::from_secs(3), ..Options::default() };
    let worker = process_with(&world, world.backend.server.url(), None, &options).await;
    let id = world.submit(Effect::AtMostOnce, &["_any"]).await;
    let claim = worker.claim("web-1", 1).await.remove(0);
    let claimed = Instant::now();
    worker.queue.close().await;
    until("the claim is seen", || async { world.status(id).await == "running" }).await;
    while claimed.elapsed() < Duration::from_millis(2_800) {
        assert_eq!(world.status(id).await, "running", "after {:?}", claimed.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(claim.attempt, 1);
    assert_eq!(world.end(id).await, "lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_cut_off_past_its_lease_changes_nothing() {
    let world = World::<Nats>::new(short_leases());
    let cable = Cable::lay(world.backend.server.url()).await;
    // A lease goes with its claim: this one is longer than that of the process which watches it.
    let options = Options { lease: Duration::from_secs(2), ..Options::default() };
    let away = process_with(&world, cable.url.clone(), None, &options).await;
    let other = worker_process(&world).await;
    let id = world.submit(Effect::Read, &["_any"]).await;
    let claim = away.claim("web-1", 1).await.remove(0);
    cable.becomes(State::Cut);
    // Its result is under way while the lease still holds, and arrives when the cable is whole again.
    let unheard = away.queue.finish(claim.token, outcome(ExecutionEvent::Returned)).await;
    assert!(unheard.expect_err("nobody answers").uncertain());
    let again = other.claim("web-2", 1).await.remove(0);
    assert_eq!((again.job_id, again.attempt), (id, 2));
    cable.becomes(State::Whole);
    assert!(!away.finish(&claim).await, "it lost its lease");
    assert_eq!(timeout(PATIENCE, away.queue.revoked(claim.token)).await.unwrap().unwrap(), Revocation::Fenced);
    assert!(other.finish(&again).await);
    assert_eq!(world.end(id).await, "completed");
}

/// A process behind a cable, which goes on with what it began as long as this lives.
struct Behind {
    _api: Process,
    _cable: Cable,
    _directory: TempDir,
}

/// Submits over a connection that is cut, which stays so for a while, and returns the job.
async fn submit_over_a_cut_cable(world: &World<Nats>, cut_for: Duration) -> (JobId, Behind) {
    let cable = Cable::lay(world.backend.server.url()).await;
    let directory = tempfile::tempdir().unwrap();
    let api = process(world, cable.url.clone(), Some(directory.path())).await;
    api.queue.check().await.unwrap();
    let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
    let id = job.id;
    cable.becomes(State::Cut);
    let asked = Instant::now();
    let refused = api.queue.submit(Submission { job, effect: Effect::Read, idempotency: None }).await;
    let refused = refused.expect_err("nobody answers");
    assert!(refused.uncertain() && refused.kind() == QueueErrorKind::Unavailable, "{refused:?}");
    assert!(asked.elapsed() < Duration::from_secs(1), "its caller hears within a second");
    // How long it is cut is what is tried here.
    tokio::time::sleep(cut_for).await;
    cable.becomes(State::Whole);
    let known = async { while api.queue.job(id).await.is_ok_and(|job| job.is_none()) {} };
    timeout(PATIENCE, known).await.expect("what was under way arrives");
    (id, Behind { _api: api, _cable: cable, _directory: directory })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_that_was_stored_in_time_runs_although_its_answer_was_lost() {
    let world = World::<Nats>::new(Options::default());
    let (id, _behind) = submit_over_a_cut_cable(&world, Duration::ZERO).await;
    let claim = world.claim_one("web-1").await;
    assert_eq!(claim.job_id, id);
    assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    assert_eq!(world.end(id).await, "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_that_was_stored_too_late_is_cancelled() {
    let world = World::<Nats>::new(Options::default());
    let (id, _behind) = submit_over_a_cut_cable(&world, Duration::from_secs(6)).await;
    assert_eq!(world.end(id).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_name_went_to_another_process_claims_nothing_until_it_has_it_again() {
    let world = World::<Nats>::new(Options::default());
    let cable = Cable::lay(world.backend.server.url()).await;
    let (first, second) = (process(&world, cable.url.clone(), None).await, worker_process(&world).await);
    first.queue.heartbeat(worker("web-1", 1)).await.unwrap();
    let waiting = tokio::spawn({
        let queue = Arc::clone(&first.queue);
        async move {
            loop {
                // One that is on its way when the connection ends fails, and is made again.
                if let Ok(claims) = queue.claim(request("web-1", 1)).await {
                    return claims;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    cable.becomes(State::Torn);
    let taken = async { while second.queue.heartbeat(worker("web-1", 2)).await.is_err() {} };
    timeout(PATIENCE, taken).await.expect("nobody holds the name");
    cable.becomes(State::Whole);
    let refused = async {
        loop {
            match first.queue.heartbeat(worker("web-1", 1)).await {
                Err(error) if error.kind() == QueueErrorKind::HostnameTaken => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, refused).await.expect("the second lives");
    let id = world.submit(Effect::Read, &["web-1"]).await;
    assert_eq!(second.claim("web-1", 1).await.remove(0).job_id, id);
    assert!(!waiting.is_finished());

    second.queue.leave(&hostname("web-1"), worker("web-1", 2).instance).await.unwrap();
    first.queue.heartbeat(worker("web-1", 1)).await.unwrap();
    let id = world.submit(Effect::Read, &["web-1"]).await;
    assert_eq!(timeout(PATIENCE, waiting).await.unwrap().unwrap()[0].job_id, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_processes_agree_and_count_each_end_once() {
    let world = World::<Nats>::new(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let other = process(&world, world.backend.server.url(), Some(directory.path())).await;
    let worker = worker_process(&world).await;
    for number in 0..20 {
        let slots: &[&str] = if number % 2 == 0 { &["_any"] } else { &["web-1", "web-2"] };
        let id = world.submit(Effect::Read, slots).await;
        if number % 5 == 0 {
            other.queue.check().await.unwrap();
            // What one process accepted may not have come to the other yet.
            let seen = async { while other.queue.job(id).await.unwrap().is_none() {} };
            timeout(PATIENCE, seen).await.expect("it comes");
            other.queue.cancel(id).await.unwrap();
            continue;
        }
        let hosts: &[&str] = if slots.len() == 1 { &["web-1"] } else { &["web-1", "web-2"] };
        for host in hosts {
            let claim = worker.claim(host, 1).await.remove(0);
            assert_eq!(claim.job_id, id);
            assert!(worker.finish(&claim).await);
        }
        world.end(id).await;
        timeout(PATIENCE, other.queue.ended(id)).await.unwrap().unwrap();
    }
    let agree = async { while figures(&*world.queue()).await != figures(&*other.queue).await {} };
    timeout(PATIENCE, agree).await.expect("they agree");
    let stats = figures(&*other.queue).await;
    assert!(stats.ledger_balances());
    let completed = |event: &JobEvent| matches!(event, JobEvent::Completed { .. });
    let counted = world.reported(completed) + other.reports.count(completed) + worker.reports.count(completed);
    assert_eq!((stats.ledger.created, counted), (20, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_copy_starts_from_the_checkpoint_and_shows_the_same_ledger() {
    // Removals are forgotten at once: each round takes them into the checkpoint.
    cold_copy_shows_the_same(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_copy_counts_removals_that_no_checkpoint_holds() {
    cold_copy_shows_the_same(Duration::from_hours(1)).await;
}

async fn cold_copy_shows_the_same(removals_visible: Duration) {
    let mut world = World::<Nats>::new(Options { removals_visible, ..Options::default() });
    let mut ids = Vec::new();
    for _ in 0..6 {
        let id = world.submit(Effect::Read, &["_any"]).await;
        world.queue().cancel(id).await.unwrap();
        ids.push(id);
    }
    for id in &ids[..4] {
        world.queue().delete(*id).await.unwrap();
        world.queue().check().await.unwrap();
    }
    let before = figures(&*world.queue()).await;
    assert_eq!((before.ledger.created, before.by_status(JobStatus::Cancelled)), (6, 2));

    let directory = tempfile::tempdir().unwrap();
    let cold = process(&world, world.backend.server.url(), Some(directory.path())).await;
    assert_eq!(figures(&*cold.queue).await, before);
    assert!(cold.queue.job(ids[0]).await.unwrap().is_none());
    assert!(cold.queue.job(ids[5]).await.unwrap().is_some());
    // The last record that it takes stays, so that only the removals can tell what it misses.
    let stays = world.submit(Effect::Read, &["web-9"]).await;
    until("it comes", || async { cold.queue.job(stays).await.unwrap().is_some() }).await;
    cold.queue.close().await;

    // A copy that was away while jobs were removed without a trace begins anew.
    for id in &ids[4..] {
        world.queue().delete(*id).await.unwrap();
        world.queue().check().await.unwrap();
    }
    let left = figures(&*world.queue()).await;
    let back = process(&world, world.backend.server.url(), Some(directory.path())).await;
    let same = async { while figures(&*back.queue).await != left {} };
    timeout(PATIENCE, same).await.expect("it shows the same");
    world.reopen();
    assert_eq!(figures(&*world.queue()).await, left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_among_three_workers_runs_once() {
    let world = World::<Nats>::new(Options::default());
    let runs: Arc<Mutex<HashMap<JobId, usize>>> = Arc::default();
    let mut workers = JoinSet::new();
    for host in ["web-1", "web-2", "web-3"] {
        let (process, runs) = (worker_process(&world).await, Arc::clone(&runs));
        workers.spawn(async move {
            loop {
                for claim in process.claim(host, 4).await {
                    *runs.lock().unwrap().entry(claim.job_id).or_default() += 1;
                    assert!(process.finish(&claim).await);
                }
            }
        });
    }
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(world.submit(Effect::AtMostOnce, &["_any"]).await);
    }
    for id in &ids {
        assert_eq!(world.end(*id).await, "completed");
    }
    let runs = runs.lock().unwrap().clone();
    assert!(ids.iter().all(|id| runs.get(id) == Some(&1)), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_comes_back_takes_its_name_at_once_and_a_second_live_one_is_refused() {
    let world = World::<Nats>::new(Options::default());
    let (first, second) = (worker_process(&world).await, worker_process(&world).await);
    first.queue.heartbeat(worker("web-1", 1)).await.unwrap();
    let refused = second.queue.heartbeat(worker("web-1", 2)).await.expect_err("the first lives");
    assert_eq!(refused.kind(), QueueErrorKind::HostnameTaken);

    let id = world.submit(Effect::Read, &["web-1"]).await;
    first.claim("web-1", 1).await;
    // Its connection ends without a farewell, as with SIGKILL. The server may take a moment to see that.
    first.queue.close().await;
    let taken = async { while second.queue.heartbeat(worker("web-1", 2)).await.is_err() {} };
    timeout(PATIENCE, taken).await.expect("nobody holds the name");
    let again = second.claim("web-1", 1).await.remove(0);
    assert_eq!((again.job_id, again.attempt), (id, 2));
    let connected = async {
        loop {
            let workers = world.registry().connected().await.unwrap();
            if workers.iter().any(|known| known.instance == worker("web-1", 2).instance) {
                return workers;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, connected).await.expect("it is seen").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_worker_and_a_cancelled_run_hear_of_it_in_another_process() {
    let world = World::<Nats>::new(Options::default());
    let process = worker_process(&world).await;
    process.queue.heartbeat(worker("web-1", 1)).await.unwrap();
    let id = world.submit(Effect::Read, &["web-1"]).await;
    let claim = process.claim("web-1", 1).await.remove(0);
    world.queue().cancel(id).await.unwrap();
    let told = timeout(PATIENCE, process.queue.revoked(claim.token)).await.expect("it is told").unwrap();
    assert_eq!(told, Revocation::CancelRequested);
    assert!(process.queue.finish(claim.token, outcome(ExecutionEvent::CancelConfirmed)).await.unwrap());
    assert_eq!(world.end(id).await, "cancelled");

    let set = async |draining| {
        let connected = async {
            loop {
                if let Some(worker) = world.registry().set_draining(&hostname("web-1"), draining).await.unwrap() {
                    return worker;
                }
            }
        };
        timeout(PATIENCE, connected).await.expect("it is connected")
    };
    assert_eq!(set(true).await.state, WorkerState::Draining);
    let waits = tokio::spawn({
        let queue = Arc::clone(&process.queue);
        async move { queue.claim(request("web-1", 1)).await }
    });
    let later = world.submit(Effect::Read, &["web-1"]).await;
    assert_eq!(set(false).await.state, WorkerState::Ready);
    let claims = timeout(PATIENCE, waits).await.expect("it claims again").unwrap().unwrap();
    assert_eq!(claims[0].job_id, later);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_installations_share_a_server_and_see_nothing_of_each_other() {
    let world = World::<Nats>::new(Options::default());
    let id = world.submit(Effect::Read, &["_any"]).await;
    let directory = tempfile::tempdir().unwrap();
    let mut other = config(world.backend.server.url(), Some(directory.path()), &world.options);
    other.server.prefix = "osapi-2".to_owned();
    let (reports, counts): (Arc<Reports>, Arc<Counts>) = Default::default();
    let other = NatsQueue::connect(other, Arc::clone(&world.clock) as _, reports, counts).await.unwrap();
    assert!(other.job(id).await.unwrap().is_none());
    assert_eq!(figures(&*other).await.ledger.created, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_only_works_answers_no_questions() {
    let world = World::<Nats>::new(Options::default());
    let process = worker_process(&world).await;
    process.queue.check().await.unwrap();
    let refused = process.queue.stats().await.expect_err("it has no copy of the jobs");
    assert_eq!(refused.kind(), QueueErrorKind::Unavailable);
}
