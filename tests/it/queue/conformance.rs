//! The promises of [`osapi::ports::driven::JobQueue`] and [`osapi::ports::driven::WorkerRegistry`].

use std::time::Duration;

use osapi::{
    domain::{
        Effect, ErrorKind, ExecutionEvent, ExecutionStatus, FailureKind, Idempotency, JobId, JobStatus, NewJob,
        Operation, OperationKind, RequestFingerprint, TimelineEvent,
    },
    ports::{
        driven::{
            Cancelled, ClaimRequest, ClaimToken, Deleted, JobFilter, PageRequest, Revocation, Submission, Submitted,
        },
        driving::JobEvent,
    },
};

use super::{
    embedded::Embedded,
    fixture::{Backend, Options, World, hostname, outcome, request},
    nats::Nats,
};

/// Runs every promise on every adapter.
macro_rules! conformance {
    ($($adapter:ident: $backend:ty),+; $promises:tt) => {
        $(conformance! { @ $adapter: $backend; $promises })+
    };
    (@ $adapter:ident: $backend:ty; [$($promise:ident)+]) => {
        mod $adapter {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    super::$promise::<$backend>().await;
                }
            )+
        }
    };
}

pub(super) use conformance;

conformance! {
    embedded: Embedded,
    nats: Nats;
    [
        an_accepted_job_runs_once_and_is_read_back
        any_goes_to_one_host_and_a_host_gets_only_its_own
        an_any_command_waits_for_a_host_that_runs_commands
        the_oldest_is_claimed_first
        a_claim_waits_for_work_without_asking_again
        a_claim_that_nobody_takes_goes_back_without_an_attempt
        tokens_grow_and_an_old_one_is_worth_nothing
        a_lost_lease_requeues_what_is_safe_until_its_attempts_are_used_up
        a_lost_lease_loses_what_must_not_run_twice
        a_renewed_lease_holds
        a_restart_decides_about_everything_that_ran
        a_deadline_ends_what_waits
        what_waits_is_cancelled_at_once
        what_runs_is_asked_to_stop
        a_job_of_many_hosts_ends_with_its_last
        only_what_has_ended_is_deleted
        one_key_makes_one_job_whatever_happens
        lists_are_complete_newest_first_for_every_filter
        retention_removes_what_has_ended_and_nothing_else
    ]
}

async fn an_accepted_job_runs_once_and_is_read_back<B: Backend>() {
    let mut world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    assert_eq!((claim.job_id, claim.attempt, claim.effect), (id, 1, Effect::Read));
    assert_eq!(world.status(id).await, "running");
    world.pass(Duration::from_secs(2));
    assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    assert!(!world.finish(claim.token, ExecutionEvent::Returned).await, "a second end changes nothing");

    world.reopen();
    let job = world.queue().job(id).await.unwrap().unwrap();
    assert_eq!(job.summary.status, JobStatus::Completed);
    let execution = &job.executions[0];
    assert_eq!((execution.worker.clone(), execution.attempt), (Some(hostname("web-1")), 1));
    assert_eq!(execution.duration_seconds(), Some(2.0));
    assert_eq!(execution.result, outcome(ExecutionEvent::Returned).result);
    let events: Vec<TimelineEvent> = job.timeline.iter().map(|entry| entry.event).collect();
    assert_eq!(events, [TimelineEvent::Created, TimelineEvent::Started, TimelineEvent::Completed]);
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Created { .. })), 1);
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Claimed { .. })), 1);
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Finished { .. })), 1);
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Completed { .. })), 1);
}

async fn any_goes_to_one_host_and_a_host_gets_only_its_own<B: Backend>() {
    let world = World::<B>::new(Options::default());
    for _ in 0..20 {
        world.submit(Effect::Read, &["_any"]).await;
    }
    world.submit(Effect::Read, &["web-2"]).await;
    let mine = world.claim("web-1", 15).await;
    assert_eq!(mine.len(), 15);
    let theirs = world.claim("web-2", 6).await;
    assert!(theirs.iter().all(|claim| mine.iter().all(|other| other.job_id != claim.job_id)));
    assert!(world.nothing_for("web-2").await, "it got five of any, and its own");
    assert!(world.nothing_for("web-1").await);
}

async fn an_any_command_waits_for_a_host_that_runs_commands<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let submit = async |slots: &[&str]| {
        let data = serde_json::json!({ "command": ["/bin/true"] });
        let operation = Operation::deserialize(OperationKind::CommandExec, data).unwrap();
        let job = NewJob { operation, ..world.new_job(OperationKind::NodeLoadGet, "_all", slots) };
        let id = job.id;
        world.queue().submit(Submission { job, effect: Effect::AtMostOnce, idempotency: None }).await.unwrap();
        id
    };
    let any = submit(&["_any"]).await;
    assert!(world.nothing_for("web-1").await);
    // Its own executions a host gets in any case: it says itself that the command is not on its list.
    let own = submit(&["web-1"]).await;
    assert_eq!(world.claim_one("web-1").await.job_id, own);
    let able = ClaimRequest { commands_enabled: true, ..request("web-2", 1) };
    assert_eq!(world.queue().claim(able).await.unwrap()[0].job_id, any);
}

async fn the_oldest_is_claimed_first<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.submit(Effect::Read, &["_any"]).await);
    }
    for id in ids {
        assert_eq!(world.claim_one("web-1").await.job_id, id);
    }
}

async fn a_claim_waits_for_work_without_asking_again<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let queue = world.queue();
    let claim = tokio::spawn(async move { queue.claim(request("web-1", 1)).await });
    assert!(world.nothing_for("web-2").await);
    let id = world.submit(Effect::Read, &["web-1"]).await;
    assert_eq!(claim.await.unwrap().unwrap()[0].job_id, id);
}

async fn a_claim_that_nobody_takes_goes_back_without_an_attempt<B: Backend>() {
    let world = World::<B>::new(Options::default());
    for _ in 0..50 {
        let queue = world.queue();
        let claim = tokio::spawn(async move { queue.claim(request("web-1", 1)).await });
        let id = world.submit(Effect::AtMostOnce, &["_any"]).await;
        // Whether it was granted or not: nobody has it.
        claim.abort();
        if let Ok(Ok(claims)) = claim.await {
            assert!(world.finish(claims[0].token, ExecutionEvent::Returned).await);
        } else {
            let claim = world.claim_one("web-2").await;
            assert_eq!((claim.job_id, claim.attempt), (id, 1));
            assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
        }
        assert_eq!(world.status(id).await, "completed");
    }
}

async fn tokens_grow_and_an_old_one_is_worth_nothing<B: Backend>() {
    let mut world = World::<B>::new(Options::default());
    let mut last = ClaimToken(0);
    for _ in 0..3 {
        world.submit(Effect::Read, &["_any"]).await;
        let claim = world.claim_one("web-1").await;
        assert!(claim.token > last);
        last = claim.token;
        world.reopen();
        assert!(!world.finish(last, ExecutionEvent::Returned).await, "a claim of the process before");
        assert!(!world.queue().renew(last).await.unwrap());
        assert_eq!(world.queue().revoked(last).await.unwrap(), Revocation::Fenced);
    }
    assert!(!world.finish(ClaimToken(999), ExecutionEvent::Returned).await);
}

fn short_leases() -> Options {
    Options { lease: Duration::from_millis(100), ..Options::default() }
}

async fn a_lost_lease_requeues_what_is_safe_until_its_attempts_are_used_up<B: Backend>() {
    let world = World::<B>::new(short_leases());
    let id = world.submit(Effect::Idempotent, &["_any"]).await;
    let first = world.claim_one("web-1").await;
    assert_eq!(world.queue().revoked(first.token).await.unwrap(), Revocation::Fenced);
    let second = world.claim_one("web-2").await;
    assert_eq!((second.job_id, second.attempt), (id, 2));
    assert!(!world.finish(first.token, ExecutionEvent::Returned).await, "it lost its lease");
    // The second attempt is the last one.
    assert_eq!(world.end(id).await, "failed");
    let job = world.queue().job(id).await.unwrap().unwrap();
    assert_eq!(job.executions[0].error.as_ref().map(|error| error.kind), Some(ErrorKind::WorkerLost));
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Redelivered { .. })), 1);
    let requeued = job.timeline.iter().filter(|entry| entry.event == TimelineEvent::Requeued).count();
    let started = job.timeline.iter().filter(|entry| entry.event == TimelineEvent::Started).count();
    assert_eq!((requeued, started), (1, 2), "{:?}", job.timeline);
}

async fn a_lost_lease_loses_what_must_not_run_twice<B: Backend>() {
    let world = World::<B>::new(short_leases());
    let id = world.submit(Effect::AtMostOnce, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    assert_eq!(world.end(id).await, "lost");
    assert!(!world.finish(claim.token, ExecutionEvent::Returned).await);
    assert!(world.nothing_for("web-2").await);
}

async fn a_renewed_lease_holds<B: Backend>() {
    let world = World::<B>::new(Options { lease: Duration::from_millis(400), ..Options::default() });
    let id = world.submit(Effect::AtMostOnce, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    let begun = std::time::Instant::now();
    let mut renewals = tokio::time::interval(Duration::from_millis(50));
    while begun.elapsed() < Duration::from_millis(1200) {
        renewals.tick().await;
        assert!(world.queue().renew(claim.token).await.unwrap());
    }
    assert!(world.finish(claim.token, ExecutionEvent::Returned).await);
    assert_eq!(world.status(id).await, "completed");
}

async fn a_restart_decides_about_everything_that_ran<B: Backend>() {
    let mut world = World::<B>::new(Options::default());
    let safe = world.submit(Effect::Read, &["_any"]).await;
    let once = world.submit(Effect::AtMostOnce, &["_any"]).await;
    let asked_to_stop = world.submit(Effect::Read, &["_any"]).await;
    let waiting = world.submit(Effect::AtMostOnce, &["web-9"]).await;
    world.claim("web-1", 3).await;
    assert!(matches!(world.queue().cancel(asked_to_stop).await.unwrap(), Cancelled::Accepted(_)));
    world.reopen();
    assert_eq!(world.status(safe).await, "queued");
    assert_eq!(world.status(once).await, "lost");
    assert_eq!(world.status(asked_to_stop).await, "cancelled");
    assert_eq!(world.status(waiting).await, "queued");
    assert_eq!(world.claim_one("web-2").await.attempt, 2);
}

async fn a_deadline_ends_what_waits<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["web-1", "web-2"]).await;
    let claim = world.claim_one("web-1").await;
    world.pass(Duration::from_hours(2));
    world.queue().check().await.unwrap();
    assert!(world.nothing_for("web-2").await);
    assert_eq!(world.status(id).await, "running");
    assert!(world.finish(claim.token, ExecutionEvent::Failed(FailureKind::Timeout)).await);
    assert_eq!(world.end(id).await, "failed");
    let statuses: Vec<ExecutionStatus> =
        world.queue().job(id).await.unwrap().unwrap().executions.iter().map(|execution| execution.status).collect();
    assert_eq!(statuses, [ExecutionStatus::Failed, ExecutionStatus::Expired]);
}

async fn what_waits_is_cancelled_at_once<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["_any"]).await;
    let Cancelled::Accepted(job) = world.queue().cancel(id).await.unwrap() else { panic!("it waits") };
    assert_eq!(job.summary.status, JobStatus::Cancelled);
    assert!(job.summary.cancel_requested_at.is_some());
    assert!(world.nothing_for("web-1").await);
    assert_eq!(world.queue().cancel(id).await.unwrap(), Cancelled::AlreadyTerminal(JobStatus::Cancelled));
}

async fn what_runs_is_asked_to_stop<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = world.submit(Effect::AtMostOnce, &["_any"]).await;
    let claim = world.claim_one("web-1").await;
    let queue = world.queue();
    let told = tokio::spawn(async move { queue.revoked(claim.token).await });
    let Cancelled::Accepted(job) = world.queue().cancel(id).await.unwrap() else { panic!("it runs") };
    assert_eq!(job.summary.status, JobStatus::Running);
    assert_eq!(told.await.unwrap().unwrap(), Revocation::CancelRequested);
    // Who asks later hears it too.
    assert_eq!(world.queue().revoked(claim.token).await.unwrap(), Revocation::CancelRequested);
    assert!(world.finish(claim.token, ExecutionEvent::CancelConfirmed).await);
    assert_eq!(world.end(id).await, "cancelled");
}

async fn a_job_of_many_hosts_ends_with_its_last<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["web-1", "web-2"]).await;
    let first = world.claim_one("web-1").await;
    assert!(world.finish(first.token, ExecutionEvent::Returned).await);
    assert_eq!(world.status(id).await, "running");
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Completed { .. })), 0);
    let second = world.claim_one("web-2").await;
    assert!(world.finish(second.token, ExecutionEvent::Failed(FailureKind::Operation)).await);
    assert_eq!(world.end(id).await, "partial_failure");
    let completed = |event: &JobEvent| matches!(event, JobEvent::Completed { status: JobStatus::PartialFailure, .. });
    assert_eq!(world.reported(completed), 1);
}

async fn only_what_has_ended_is_deleted<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["_any"]).await;
    assert_eq!(world.queue().delete(id).await.unwrap(), Deleted::NotTerminal(JobStatus::Queued));
    world.queue().cancel(id).await.unwrap();
    assert_eq!(world.queue().delete(id).await.unwrap(), Deleted::Done);
    assert_eq!(world.queue().delete(id).await.unwrap(), Deleted::NotFound);
    assert_eq!(world.queue().cancel(id).await.unwrap(), Cancelled::NotFound);
    assert_eq!(world.queue().ended(id).await.unwrap(), None);
    let stats = world.queue().stats().await.unwrap();
    assert_eq!((stats.ledger.created, stats.by_status(JobStatus::Cancelled)), (1, 0));
    assert!(stats.ledger_balances());
}

fn key(key: &str, request: &str) -> Idempotency {
    let fingerprint = RequestFingerprint::of(request.as_bytes());
    Idempotency { subject: "alice".to_owned(), key: key.parse().unwrap(), fingerprint }
}

async fn one_key_makes_one_job_whatever_happens<B: Backend>() {
    let mut world = World::<B>::new(Options::default());
    let submit = |idempotency| {
        let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
        let queue = world.queue();
        async move { queue.submit(Submission { job, effect: Effect::Read, idempotency: Some(idempotency) }).await.unwrap() }
    };
    let posts: Vec<_> = (0..100).map(|_| tokio::spawn(submit(key("k", "r")))).collect();
    let (mut created, mut ids) = (0, Vec::new());
    for post in posts {
        match post.await.unwrap() {
            Submitted::Created(job) => {
                created += 1;
                ids.push(job.summary.id);
            }
            Submitted::Replayed(job) => ids.push(job.summary.id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((created, ids.len()), (1, 100));
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(submit(key("k", "another")).await, Submitted::KeyReused);

    world.reopen();
    let known = key("k", "r");
    assert!(matches!(world.queue().replay(&known).await.unwrap(), Some(Submitted::Replayed(_))));
    assert_eq!(world.queue().replay(&key("new", "r")).await.unwrap(), None);
    world.queue().cancel(ids[0]).await.unwrap();
    assert_eq!(world.queue().delete(ids[0]).await.unwrap(), Deleted::Done);
    // Just within the day that a key is kept.
    world.pass(Duration::from_hours(23));
    assert_eq!(world.queue().replay(&known).await.unwrap(), Some(Submitted::ReplayedDeleted(ids[0])));
}

/// Which of the numbered jobs a filter finds.
type Fits = fn(usize) -> bool;

async fn lists_are_complete_newest_first_for_every_filter<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let mut jobs = Vec::new();
    for number in 0..30 {
        let kind = [OperationKind::NodeLoadGet, OperationKind::NodeOsGet][number % 2];
        let host = ["_any", "web-1", "web-2"][number % 3];
        let job = world.new_job(kind, host, &[host]);
        let id = job.id;
        world.queue().submit(Submission { job, effect: Effect::Read, idempotency: None }).await.unwrap();
        if number % 5 == 0 {
            world.queue().cancel(id).await.unwrap();
        }
        jobs.push((number, id));
    }
    let list = async |filter: JobFilter, limit: u32| {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = world.queue().jobs(PageRequest { filter: filter.clone(), before, limit }).await.unwrap();
            assert!(page.jobs.len() <= limit as usize);
            found.extend(page.jobs.iter().map(|job| job.id));
            match page.next {
                Some(next) => before = Some(next),
                None => return found,
            }
        }
    };
    let status = Some(JobStatus::Cancelled);
    let operation = Some(OperationKind::NodeOsGet);
    let target = Some("web-1".parse().unwrap());
    let worker = Some(hostname("web-2"));
    let rows: [(JobFilter, Fits); 7] = [
        (JobFilter::default(), |_| true),
        (JobFilter { status, ..JobFilter::default() }, |number| number % 5 == 0),
        (JobFilter { operation, ..JobFilter::default() }, |number| number % 2 == 1),
        (JobFilter { target: target.clone(), ..JobFilter::default() }, |number| number % 3 == 1),
        (JobFilter { worker: worker.clone(), ..JobFilter::default() }, |number| number % 3 == 2),
        (JobFilter { status, operation, ..JobFilter::default() }, |number| number % 10 == 5),
        (JobFilter { status, worker, ..JobFilter::default() }, |number| number % 15 == 5),
    ];
    for (filter, fits) in rows {
        let expected: Vec<JobId> = jobs.iter().rev().filter(|(number, _)| fits(*number)).map(|(_, id)| *id).collect();
        assert!(!expected.is_empty());
        for limit in [1, 3, 100] {
            assert_eq!(list(filter.clone(), limit).await, expected, "{filter:?} by {limit}");
        }
    }
}

async fn retention_removes_what_has_ended_and_nothing_else<B: Backend>() {
    let day = Duration::from_hours(24);
    let world = World::<B>::new(Options { retention_jobs: 5, retention_age: day, ..Options::default() });
    let mut ended = Vec::new();
    for _ in 0..8 {
        let id = world.submit(Effect::Read, &["web-1"]).await;
        world.queue().cancel(id).await.unwrap();
        world.pass(Duration::from_secs(1));
        ended.push(id);
    }
    let waiting = world.submit(Effect::Read, &["web-2"]).await;
    let gone = async |ids: &[JobId]| {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        for id in ids {
            while world.status(*id).await != "gone" {
                assert!(std::time::Instant::now() < deadline, "it is kept");
                // Whatever is written gives the queue the occasion.
                world.queue().check().await.unwrap();
            }
        }
    };
    gone(&ended[..3]).await;
    assert_eq!(world.status(ended[3]).await, "cancelled");

    world.pass(Duration::from_mins(30));
    assert_eq!(world.status(waiting).await, "queued");
    let kept = world.claim_one("web-2").await;
    world.pass(day);
    gone(&ended[3..]).await;
    assert_eq!(world.status(waiting).await, "running");
    assert!(world.finish(kept.token, ExecutionEvent::Returned).await);
    let stats = world.queue().stats().await.unwrap();
    assert_eq!(stats.ledger.created, 9);
    assert!(stats.ledger_balances());
}
