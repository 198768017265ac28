//! What gets lost on a server and is made good, what is left behind and is removed, and what it does not take.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::stream::Stream;
use osapi::{
    domain::{
        Effect, ErrorKind, ExecutionEvent, Idempotency, JobId, Operation, OperationKind, RequestFingerprint,
        ResultDocument,
    },
    ports::driven::{ClaimRequest, Deleted, JobQueue, Outcome, QueueErrorKind, Submission, Submitted},
};
use tokio::time::timeout;

use super::{
    cable::{Cable, State},
    fixture::{Options, World, request},
    nats::Nats,
    nats_process::{PATIENCE, process, server, stream, subjects, until},
};

fn command(world: &World<Nats>, slot: &str) -> Submission {
    let data = serde_json::json!({ "command": ["/bin/true"] });
    let operation = Operation::deserialize(OperationKind::CommandExec, data).unwrap();
    let job = world.new_job(OperationKind::NodeLoadGet, "_all", &[slot]);
    Submission { job: osapi::domain::NewJob { operation, ..job }, effect: Effect::AtMostOnce, idempotency: None }
}

/// Loses the hint of the one job that any worker may take.
async fn lose_hint(work: &Stream) {
    let subject = "osapi.work.any.plain";
    until("the hint is there", || async { !subjects(work, subject).await.is_empty() }).await;
    work.purge().filter(subject).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_hint_is_made_good_while_an_older_job_waits_that_no_worker_may_take() {
    let world = World::<Nats>::new(Options::default());
    let work = stream(&server(&world).await, "work").await;
    world.queue().submit(command(&world, "_any")).await.unwrap();
    let id = world.submit(Effect::Read, &["_any"]).await;
    lose_hint(&work).await;
    let queue = world.queue();
    let claims = timeout(Duration::from_secs(10), queue.claim(request("web-1", 1)));
    assert_eq!(claims.await.expect("it gets another hint").unwrap()[0].job_id, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_hint_is_made_good_while_others_keep_coming() {
    let world = World::<Nats>::new(Options { max_depth: 100_000, ..Options::default() });
    world.clock.run();
    let work = stream(&server(&world).await, "work").await;
    let lost = world.submit(Effect::Read, &["_any"]).await;
    lose_hint(&work).await;
    let found = async {
        loop {
            // There are always hints for something that waits.
            world.submit(Effect::Read, &["_any"]).await;
            world.submit(Effect::Read, &["_any"]).await;
            let claim = world.claim_one("web-1").await;
            assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
            if claim.job_id == lost {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // What waits before it has hints of its own, which come first.
    timeout(Duration::from_secs(20), found).await.expect("it is not forgotten");
}

/// The subjects of the records of a job.
async fn records(world: &World<Nats>, id: JobId) -> Vec<String> {
    let records_of_jobs = stream(&server(world).await, "state").await;
    let prefix = format!("osapi.state.job.{id}.");
    let found = subjects(&records_of_jobs, &format!("{prefix}>")).await;
    found.into_iter().map(|subject| subject.replace(&prefix, "")).collect()
}

async fn ended(world: &World<Nats>) -> JobId {
    let id = world.submit(Effect::Read, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    assert_eq!(world.end(id).await, "completed");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_removed_job_took_comes_back_at_once_and_its_last_record_goes_later() {
    let world = World::<Nats>::new(Options { removals_visible: Duration::from_secs(2), ..Options::default() });
    let id = ended(&world).await;
    assert_eq!(records(&world, id).await.len(), 2);
    assert_eq!(world.queue().delete(id).await.unwrap(), Deleted::Done);
    assert_eq!(records(&world, id).await, ["record"], "it says that the job was removed");
    until("the last record is purged", || async { records(&world, id).await.is_empty() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_leaves_that_ends_before_it_purges_is_purged_by_another() {
    let world = World::<Nats>::new(Options { removals_visible: Duration::from_hours(1), ..Options::default() });
    let id = ended(&world).await;
    assert_eq!(world.queue().delete(id).await.unwrap(), Deleted::Done);
    assert_eq!(records(&world, id).await, ["record"]);
    // What the other one wrote last: the checkpoint has the removal, and its record is still there.
    let context = server(&world).await;
    let records_of_jobs = stream(&context, "state").await;
    let removal =
        records_of_jobs.get_last_raw_message_by_subject(&format!("osapi.state.job.{id}.record")).await.unwrap();
    let completed = osapi::domain::JobStatus::ALL.map(|status| u8::from(status.as_str() == "completed"));
    let ledger = serde_json::json!({
        "through": removal.sequence, "created": 1, "completed": completed, "purging": [id],
    });
    context.publish("osapi.state.ledger", ledger.to_string().into()).await.unwrap().await.unwrap();
    until("it is purged", || async { records(&world, id).await.is_empty() }).await;
    let stats = world.queue().stats().await.unwrap();
    assert!(stats.ledger_balances() && stats.ledger.created == 1, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_record_of_a_job_that_was_never_stored_is_purged_and_counts_nothing() {
    let world = World::<Nats>::new(Options::default());
    let cable = Cable::lay(world.backend.server.url()).await;
    let directory = tempfile::tempdir().unwrap();
    let api = process(&world, cable.url.clone(), Some(directory.path())).await;
    api.queue.check().await.unwrap();
    let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
    let id = job.id;
    cable.becomes(State::Cut);
    let refused = api.queue.submit(Submission { job, effect: Effect::Read, idempotency: None }).await;
    assert!(refused.expect_err("there is no answer").uncertain());
    // What was under way is lost with the connection.
    cable.tear().await;
    let records_of_jobs = stream(&server(&world).await, "state").await;
    let told = format!("osapi.state.job.{id}.record");
    let seen = std::sync::Mutex::new(false);
    until("its record is there and goes", || async {
        let there = !subjects(&records_of_jobs, &told).await.is_empty();
        let mut seen = seen.lock().unwrap();
        *seen |= there;
        *seen && !there
    })
    .await;
    assert!(world.queue().job(id).await.unwrap().is_none());
    let stats = world.queue().stats().await.unwrap();
    assert!(stats.ledger_balances() && stats.ledger.created == 0, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_exceed_the_depth_by_no_more_than_what_is_on_its_way() {
    const MAX: u64 = 40;
    const CLIENTS: usize = 16;
    let world = World::<Nats>::new(Options { max_depth: MAX, ..Options::default() });
    let directory = tempfile::tempdir().unwrap();
    let other = process(&world, world.backend.server.url(), Some(directory.path())).await;
    other.queue.check().await.unwrap();
    let accept = |queue: Arc<dyn JobQueue>, jobs: Vec<osapi::domain::NewJob>| async move {
        let mut accepted = 0_u64;
        for job in jobs {
            match queue.submit(Submission { job, effect: Effect::Read, idempotency: None }).await {
                Ok(_) => accepted += 1,
                Err(error) => {
                    assert_eq!(error.kind(), QueueErrorKind::Full, "{error}");
                    break;
                }
            }
        }
        accepted
    };
    let clients = (0..CLIENTS).map(|number| {
        let queue = if number % 2 == 0 { world.queue() } else { Arc::clone(&other.queue) as _ };
        let jobs = (0..MAX).map(|_| world.new_job(OperationKind::NodeLoadGet, "_all", &["web-1"])).collect();
        tokio::spawn(accept(queue, jobs))
    });
    let mut accepted = 0;
    for client in clients.collect::<Vec<_>>() {
        accepted += client.await.unwrap();
    }
    // Each of the two may miss what the clients of the other have on its way: one job that is being stored, and one whose
    // record is not in the copy yet.
    assert!((MAX..=MAX + CLIENTS as u64).contains(&accepted), "{accepted}");

    // A single process misses nothing of its own.
    let world = World::<Nats>::new(Options { max_depth: MAX, ..Options::default() });
    let clients = (0..CLIENTS).map(|_| {
        let jobs = (0..MAX).map(|_| world.new_job(OperationKind::NodeLoadGet, "_all", &["web-1"])).collect();
        tokio::spawn(accept(world.queue(), jobs))
    });
    let mut accepted = 0;
    for client in clients.collect::<Vec<_>>() {
        accepted += client.await.unwrap();
    }
    assert_eq!(accepted, MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_deleted_is_made_again_and_jobs_run() {
    for kind in ["work", "workers", "keys", "state"] {
        let world = World::<Nats>::new(Options::default());
        let before = ended(&world).await;
        let context = server(&world).await;
        context.delete_stream(format!("osapi-{kind}")).await.unwrap();
        until("the stream is there again", || async { context.get_stream(format!("osapi-{kind}")).await.is_ok() })
            .await;
        until("it is ready again", || async { world.queue().check().await.is_ok() }).await;
        let id = world.submit(Effect::Read, &["_any"]).await;
        let claim = world.claim_one("web-1").await;
        assert_eq!(claim.job_id, id, "without {kind}");
        assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
        assert_eq!(world.end(id).await, "completed");
        let gone = world.queue().job(before).await.unwrap().is_none();
        assert_eq!(gone, kind == "state", "without {kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_of_a_host_that_has_gone_is_removed_and_its_hints_stay() {
    let world = World::<Nats>::new(Options::default());
    assert!(world.nothing_for("web-1").await);
    let work = stream(&server(&world).await, "work").await;
    let threshold = async |name: &str| {
        let mut consumer: async_nats::jetstream::consumer::PullConsumer = work.get_consumer(name).await.unwrap();
        consumer.info().await.unwrap().config.inactive_threshold
    };
    for name in ["host-web-1", "any-plain"] {
        until("it is there", || async { work.consumer_info(name).await.is_ok() }).await;
        assert_eq!(threshold(name).await, Duration::from_hours(1), "{name}");
    }
    // Removed or not, what waits for the host is there when it comes back.
    work.delete_consumer("host-web-1").await.unwrap();
    let id = world.submit(Effect::Read, &["web-1"]).await;
    assert_eq!(world.claim_one("web-1").await.job_id, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_larger_than_the_server_stores_is_refused_or_ends_the_run_with_the_true_reason() {
    let mut world = World::<Nats>::new(Options::default());
    world.backend.server.restart_with("jetstream { store_dir: STORE }\nmax_payload: 16KB");
    until("it is ready", || async { world.queue().check().await.is_ok() }).await;

    let id = world.submit(Effect::Read, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    let large = ResultDocument::from_json(format!("\"{}\"", "x".repeat(20_000))).unwrap();
    let outcome = Outcome { event: ExecutionEvent::Returned, result: Some(large), message: None };
    assert!(world.queue().finish(claim.token, outcome).await.unwrap());
    assert_eq!(world.end(id).await, "failed");
    let job = world.queue().job(id).await.unwrap().unwrap();
    let error = job.executions[0].error.clone().unwrap();
    assert_eq!(error.kind, ErrorKind::Operation);
    assert!(error.message.contains("larger than the NATS server stores (16"), "{}", error.message);

    let mut large = command(&world, "web-1");
    let data = serde_json::json!({ "command": ["/bin/echo", "x".repeat(20_000)] });
    large.job.operation = Operation::deserialize(OperationKind::CommandExec, data).unwrap();
    let refused = world.queue().submit(large).await.expect_err("it does not fit");
    assert_eq!((refused.kind(), refused.uncertain()), (QueueErrorKind::TooLarge, false));
    assert_eq!(world.queue().stats().await.unwrap().ledger.created, 1);

    let able = ClaimRequest { commands_enabled: true, ..request("web-1", 1) };
    assert!(timeout(PATIENCE / 60, world.queue().claim(able)).await.is_err(), "nothing of it is there");
}

fn key() -> Idempotency {
    let fingerprint = RequestFingerprint::of(b"r");
    Idempotency { subject: "alice".to_owned(), key: "k".parse().unwrap(), fingerprint }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_no_second_job_when_the_last_record_of_the_first_is_purged() {
    let world = World::<Nats>::new(Options { retention_age: Duration::from_hours(1), ..Options::default() });
    let submit = async || {
        let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
        let submission = Submission { job, effect: Effect::Read, idempotency: Some(key()) };
        world.queue().submit(submission).await.unwrap()
    };
    let Submitted::Created(job) = submit().await else { panic!("it is new") };
    let id = job.summary.id;
    world.queue().cancel(id).await.unwrap();
    assert_eq!(world.queue().delete(id).await.unwrap(), Deleted::Done);
    until("its last record is purged", || async { records(&world, id).await.is_empty() }).await;
    assert_eq!(submit().await, Submitted::ReplayedDeleted(id));
    assert_eq!(world.queue().replay(&key()).await.unwrap(), Some(Submitted::ReplayedDeleted(id)));
    assert_eq!(world.queue().stats().await.unwrap().ledger.created, 1);
    // Keys are kept for a day, although jobs are not.
    let keys = stream(&server(&world).await, "keys").await;
    assert_eq!(keys.cached_info().config.max_age, Duration::from_hours(24));
}
