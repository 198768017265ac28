//! The worker with fake operations: slow, failing, panicking, hanging and never-to-be-repeated ones.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    WorkerParts, WorkerProfile, WorkerService,
    worker_scene::{Behaviour, FakeExecutor, FakeQueue, GRACE, LEASE, SECOND, claim, now, unavailable, work},
};
use crate::{
    domain::{ExecutionEvent, FailureKind, InstanceId},
    ports::driven::{
        Claim, ClaimToken, MockClock, MockMetricsPort, MockWorkerRegistry, QueueError, QueueErrorKind, Revocation,
    },
};

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
    let near = Claim { time_left: 4 * SECOND, ..claim(1) };
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
async fn what_was_claimed_at_the_moment_of_the_stop_is_run() {
    let mut working = work(Behaviour::Returns { after: SECOND }).await;
    // It asks, and waits.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    working.give(1);
    working.stop.send_replace(true);
    let outcome = tokio::time::timeout(GRACE, working.outcome()).await.expect("it is run within the grace time");
    assert_eq!(outcome.event, ExecutionEvent::Returned);
    working.stop().await;
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
async fn a_lease_is_renewed_for_as_long_as_its_end_cannot_be_recorded() {
    let mut working = work(Behaviour::Returns { after: SECOND }).await;
    // One attempt a second: longer than three leases.
    let failures = std::iter::repeat_with(|| Err(unavailable())).take(3 * 9);
    working.queue.finish_answers.lock().expect("lock").extend(failures);
    working.give(1);
    assert_eq!(working.outcome().await.event, ExecutionEvent::Returned);
    let renewed = working.queue.renewed.load(std::sync::atomic::Ordering::SeqCst);
    assert!(renewed >= 6, "{renewed} renewals in three leases");
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
            renewed: std::sync::atomic::AtomicUsize::new(0),
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
