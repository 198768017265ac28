//! Time: what is promised about deadlines, ages and durations, whatever the time of day is set to.

use std::time::Duration;

use jiff::SignedDuration;
use osapi::{
    domain::{Effect, ExecutionEvent, Idempotency, JobId, NewJob, OperationKind, RequestFingerprint},
    ports::{
        driven::{Cancelled, Submission, Submitted},
        driving::JobEvent,
    },
};

use super::{
    conformance::conformance,
    embedded::Embedded,
    fixture::{Backend, Options, World, outcome, worker},
    nats::Nats,
};

conformance! {
    embedded: Embedded,
    nats: Nats;
    [
        a_clock_that_is_set_ends_expires_and_hides_nothing
        a_deadline_is_a_length_of_time_whatever_the_clock_says
        a_duration_never_includes_a_step_of_the_clock
        nothing_is_removed_early_because_the_clock_was_set
        a_key_is_kept_for_a_day_although_jobs_are_not
        jobs_are_removed_at_their_age_while_keys_are_kept_longer
        ages_do_not_include_a_step_of_the_clock
        deadlines_pass_and_leases_end_by_themselves_one_after_the_other
        an_end_is_counted_before_who_waits_for_it_is_woken
    ]
}

/// An hour and a minute, there, back beyond, and there again.
const STEPS: [SignedDuration; 3] =
    [SignedDuration::from_mins(61), SignedDuration::from_mins(-122), SignedDuration::from_mins(61)];

async fn a_clock_that_is_set_ends_expires_and_hides_nothing<B: Backend>() {
    let world = World::<B>::new(Options::default());
    world.registry().heartbeat(worker("web-1", 1)).await.unwrap();
    let (any, own) = (world.submit(Effect::Read, &["_any"]).await, world.submit(Effect::AtMostOnce, &["web-1"]).await);
    let waiting = world.submit(Effect::Read, &["web-2"]).await;
    let claims = world.claim("web-1", 2).await;
    for step in STEPS {
        world.clock.step(step);
        let new = world.submit(Effect::Read, &["web-3"]).await;
        world.queue().check().await.unwrap();
        for (id, status) in [(any, "running"), (own, "running"), (waiting, "queued"), (new, "queued")] {
            assert_eq!(world.status(id).await, status, "after {step}");
        }
        for claim in &claims {
            assert!(world.queue().renew(claim.token).await.unwrap(), "after {step}");
        }
        assert_eq!(world.registry().connected().await.unwrap().len(), 1, "after {step}");
        assert!(world.registry().heartbeat(worker("web-1", 2)).await.is_err(), "the first one lives");
        // What was accepted before and after the step is given out, to the last of it.
        let claim = world.claim_one("web-3").await;
        assert_eq!((claim.job_id, claim.attempt), (new, 1));
        assert!(claim.time_left > Duration::from_mins(59) && claim.time_left <= Duration::from_hours(1), "{claim:?}");
        assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    }
    for claim in &claims {
        assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    }
    assert_eq!((world.end(any).await, world.end(own).await), ("completed", "completed"));
    assert_eq!(world.claim_one("web-2").await.job_id, waiting);
}

async fn a_deadline_is_a_length_of_time_whatever_the_clock_says<B: Backend>() {
    let mut world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["web-1"]).await;
    // A copy that knows of it: the clock of a server does not follow that of the test.
    world.queue().check().await.unwrap();
    world.clock.step(SignedDuration::from_hours(-5));
    world.pass(Duration::from_mins(59));
    world.reopen();
    world.queue().check().await.unwrap();
    assert_eq!(world.status(id).await, "queued", "a minute is left");
    world.clock.step(SignedDuration::from_hours(-5));
    world.pass(Duration::from_mins(2));
    world.queue().check().await.unwrap();
    assert_eq!(world.end(id).await, "expired");
}

async fn a_duration_never_includes_a_step_of_the_clock<B: Backend>() {
    let world = World::<B>::new(Options::default());
    for step in [SignedDuration::from_hours(1), SignedDuration::from_hours(-1)] {
        let id = world.submit(Effect::Read, &["_any"]).await;
        let claim = world.claim_one("web-1").await;
        world.pass(Duration::from_secs(12));
        world.clock.step(step);
        assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
        let job = world.queue().job(id).await.unwrap().unwrap();
        assert_eq!(job.executions[0].duration_seconds(), Some(12.0), "with a step of {step}");
    }
}

fn key(name: &str) -> Idempotency {
    let fingerprint = RequestFingerprint::of(b"r");
    Idempotency { subject: "alice".to_owned(), key: name.parse().unwrap(), fingerprint }
}

/// A job with a key that has ended.
async fn ended_with_key<B: Backend>(world: &World<B>, name: &str) -> JobId {
    let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
    let id = job.id;
    let submission = Submission { job, effect: Effect::Read, idempotency: Some(key(name)) };
    world.queue().submit(submission).await.unwrap();
    assert!(matches!(world.queue().cancel(id).await.unwrap(), Cancelled::Accepted(_)));
    id
}

async fn nothing_is_removed_early_because_the_clock_was_set<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = ended_with_key(&world, "k").await;
    for step in [SignedDuration::from_hours(25), SignedDuration::from_hours(-50)] {
        world.clock.step(step);
        // Whatever is written gives the queue the occasion.
        ended_with_key(&world, &format!("after {step}").replace(' ', "-")).await;
        world.queue().check().await.unwrap();
        world.queue().check().await.unwrap();
        assert_eq!(world.status(id).await, "cancelled");
        assert!(matches!(world.queue().replay(&key("k")).await.unwrap(), Some(Submitted::Replayed(_))));
    }
}

async fn gone<B: Backend>(world: &World<B>, id: JobId) {
    let begun = std::time::Instant::now();
    while world.status(id).await != "gone" {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is kept");
        world.queue().check().await.unwrap();
    }
}

async fn a_key_is_kept_for_a_day_although_jobs_are_not<B: Backend>() {
    let world = World::<B>::new(Options { retention_age: Duration::from_hours(1), ..Options::default() });
    let id = ended_with_key(&world, "k").await;
    world.pass(Duration::from_hours(23));
    gone(&world, id).await;
    for _ in 0..3 {
        world.queue().check().await.unwrap();
        assert_eq!(world.queue().replay(&key("k")).await.unwrap(), Some(Submitted::ReplayedDeleted(id)));
    }
}

async fn jobs_are_removed_at_their_age_while_keys_are_kept_longer<B: Backend>() {
    let world = World::<B>::new(Options { retention_age: Duration::from_secs(2), ..Options::default() });
    let first = ended_with_key(&world, "k").await;
    world.pass(Duration::from_secs(3));
    gone(&world, first).await;
    // Nothing is kept now but the key, which becomes old tomorrow.
    let second = world.submit(Effect::Read, &["_any"]).await;
    world.queue().cancel(second).await.unwrap();
    world.pass(Duration::from_secs(3));
    gone(&world, second).await;
}

async fn ages_do_not_include_a_step_of_the_clock<B: Backend>() {
    let world = World::<B>::new(Options::default());
    world.submit(Effect::Read, &["web-1"]).await;
    world.submit(Effect::Read, &["web-2"]).await;
    let claim = world.claim_one("web-1").await;
    world.pass(Duration::from_secs(100));
    for step in STEPS {
        world.clock.step(step);
        world.queue().check().await.unwrap();
        let stats = world.queue().stats().await.unwrap();
        for (name, age) in [("waiting", stats.oldest_age()), ("running", stats.longest_running())] {
            assert!(age >= Duration::from_secs(99) && age < Duration::from_secs(140), "{name} {age:?} after {step}");
        }
        assert_eq!(stats.hosts_waited_for.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web-2"]);
    }
    assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
}

/// Waits without asking the queue for anything that would wake it.
async fn ends_by_itself<B: Backend>(world: &World<B>, id: JobId) -> &'static str {
    let queue = world.queue();
    let ended = tokio::time::timeout(Duration::from_secs(20), queue.ended(id)).await.expect("it ends by itself");
    ended.unwrap().map_or("gone", |job| job.summary.status.as_str())
}

async fn deadlines_pass_and_leases_end_by_themselves_one_after_the_other<B: Backend>() {
    let world = World::<B>::new(Options { lease: Duration::from_millis(1_500), ..Options::default() });
    world.clock.run();
    let mut waiting = Vec::new();
    for milliseconds in [300, 600, 900] {
        let deadline = Duration::from_millis(milliseconds);
        let job = NewJob { deadline, ..world.new_job(OperationKind::NodeLoadGet, "_all", &["web-9"]) };
        waiting.push(job.id);
        world.queue().submit(Submission { job, effect: Effect::Read, idempotency: None }).await.unwrap();
    }
    let (first, second) =
        (world.submit(Effect::AtMostOnce, &["web-1"]).await, world.submit(Effect::AtMostOnce, &["web-1"]).await);
    world.claim("web-1", 2).await;
    for id in waiting {
        assert_eq!(ends_by_itself(&world, id).await, "expired");
    }
    assert_eq!((ends_by_itself(&world, first).await, ends_by_itself(&world, second).await), ("lost", "lost"));
}

async fn an_end_is_counted_before_who_waits_for_it_is_woken<B: Backend>() {
    let world = World::<B>::new(Options::default());
    for _ in 0..3 {
        world.submit(Effect::Read, &["_any"]).await;
    }
    world.reports.slow(Duration::from_millis(100));
    for (number, claim) in world.claim("web-1", 3).await.into_iter().enumerate() {
        let queue = world.queue();
        let waits = tokio::spawn(async move { queue.ended(claim.job_id).await });
        let queue = world.queue();
        let finishes = tokio::spawn(async move { queue.finish(claim.token, outcome(ExecutionEvent::Returned)).await });
        // Whoever waits may hear of the end before it is answered, but not before it is counted.
        waits.await.unwrap().unwrap();
        assert_eq!(world.reported(|event| matches!(event, JobEvent::Completed { .. })), number + 1);
        assert!(finishes.await.unwrap().unwrap());
    }
}
