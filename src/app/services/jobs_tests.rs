//! The job service over mocks: what it asks of the queue and what it makes of the answers.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{JobService, JobServiceParts};
use crate::{
    domain::{
        Caller, Defaults, Effect, Idempotency, InstanceId, Job, JobId, JobStatus, JobSummary, Labels, NewJob,
        Operation, OperationKind, Scope, Slot, Target, TargetError, Worker, WorkerState,
    },
    ports::{
        driven::{
            Cancelled, Deleted, MockJobIds, MockJobQueue, MockMetricsPort, MockWorkerRegistry, QueueError,
            QueueErrorKind, RejectionReason, Submitted as Stored,
        },
        driving::{JobRequest, Jobs, JobsError, RetryRequest},
    },
};

const DEFAULTS: Defaults =
    Defaults { timeout: Duration::from_secs(30), deadline: Duration::from_hours(1), max_attempts: 3 };

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}

fn id(number: u128) -> JobId {
    JobId::try_from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)).expect("version 7")
}

fn operation() -> Operation {
    let mut nothing = serde_json::Deserializer::from_str("{}");
    Operation::deserialize(OperationKind::NodeMemoryGet, &mut nothing).expect("no input")
}

fn caller(scope: Scope) -> Caller {
    Caller { subject: "alice".to_owned(), scope }
}

fn request(target: &str) -> JobRequest {
    JobRequest {
        operation: operation(),
        target: target.parse().expect("a target"),
        timeout_seconds: None,
        deadline_seconds: None,
        idempotency_key: None,
    }
}

fn job(status: JobStatus, new: &NewJob) -> Job {
    let summary = JobSummary {
        id: new.id,
        operation: new.operation.clone(),
        target: new.target.clone(),
        status,
        timeout: new.timeout,
        created_at: now(),
        started_at: None,
        finished_at: None,
        deadline_at: now() + SignedDuration::try_from(new.deadline).expect("a short time"),
        cancel_requested_at: None,
        created_by: new.created_by.clone(),
        retried_from: new.retried_from,
    };
    Job { summary, executions: Vec::new(), timeline: Vec::new() }
}

fn stored(status: JobStatus) -> Job {
    job(
        status,
        &NewJob {
            id: id(1),
            operation: operation(),
            target: "group:web".parse().expect("a target"),
            slots: vec![Slot::Any],
            timeout: Duration::from_secs(7),
            max_attempts: 3,
            deadline: Duration::from_secs(70),
            created_by: "bob".to_owned(),
            retried_from: None,
        },
    )
}

fn worker(hostname: &str, labels: &str) -> Worker {
    Worker {
        hostname: hostname.parse().expect("a hostname"),
        instance: InstanceId(uuid::Uuid::nil()),
        labels: serde_json::from_str(labels).unwrap_or_else(|_| Labels::default()),
        state: WorkerState::Ready,
        slots: 1,
        slots_used: 0,
        version: "0.0.0".to_owned(),
        commands_enabled: false,
        started_at: now(),
        last_heartbeat_at: now(),
        clock_offset: SignedDuration::ZERO,
    }
}

fn broken(kind: QueueErrorKind) -> QueueError {
    QueueError::new(kind, "broken")
}

/// A service over this queue whose fleet is `web-1` and `db-1`, and the switch that stops it.
fn service(queue: MockJobQueue, metrics: MockMetricsPort) -> (JobService, watch::Sender<bool>) {
    let (stop, stopping) = watch::channel(false);
    let mut registry = MockWorkerRegistry::new();
    registry.expect_connected().returning(|| Ok(vec![worker("db-1", "{}"), worker("web-1", r#"{"group":"web.dev"}"#)]));
    let mut ids = MockJobIds::new();
    ids.expect_next().returning(|| id(42));
    let parts = JobServiceParts {
        queue: Arc::new(queue),
        registry: Arc::new(registry),
        metrics: Arc::new(metrics),
        ids: Arc::new(ids),
        defaults: DEFAULTS,
        stopping,
    };
    (JobService::new(parts), stop)
}

fn refusing(reason: RejectionReason) -> MockMetricsPort {
    let mut metrics = MockMetricsPort::new();
    metrics.expect_job_rejected().withf(move |counted| *counted == reason).once().return_const(());
    metrics
}

#[tokio::test]
async fn a_label_becomes_one_execution_for_each_matching_host() {
    let mut queue = MockJobQueue::new();
    queue.expect_submit().once().returning(|submission| {
        assert_eq!(submission.job.slots, [Slot::Host("web-1".parse().expect("a hostname"))]);
        assert_eq!((submission.effect, submission.idempotency), (Effect::Read, None));
        assert_eq!(submission.job.created_by, "alice");
        Ok(Stored::Created(Box::new(job(JobStatus::Queued, &submission.job))))
    });
    let (service, _stop) = service(queue, MockMetricsPort::new());
    let submitted = service.submit(caller(Scope::Write), request("group:web"), Duration::ZERO).await.expect("accepted");
    assert_eq!((submitted.job.summary.id, submitted.replayed), (id(42), false));
    assert_eq!(submitted.job.summary.deadline(), DEFAULTS.deadline);
}

#[tokio::test]
async fn a_target_that_matches_nothing_stores_nothing_and_is_counted() {
    let (service, _stop) = service(MockJobQueue::new(), refusing(RejectionReason::Target));
    let refused = service.submit(caller(Scope::Write), request("group:mail"), Duration::ZERO).await;
    assert!(matches!(refused, Err(JobsError::Target(TargetError::NoMatch))));
}

#[tokio::test]
async fn limits_out_of_range_store_nothing_and_are_counted() {
    let (service, _stop) = service(MockJobQueue::new(), refusing(RejectionReason::Invalid));
    let wrong = JobRequest { timeout_seconds: Some(0), ..request("_any") };
    let refused = service.submit(caller(Scope::Write), wrong, Duration::ZERO).await;
    assert!(matches!(refused, Err(JobsError::Invalid(errors)) if errors[0].field == "timeout_seconds"));
}

#[tokio::test]
async fn what_the_queue_cannot_do_becomes_a_refusal_with_the_right_reason() {
    type Row = (fn() -> QueueError, JobsError, RejectionReason);
    let uncertain = || broken(QueueErrorKind::Unavailable).possibly_applied();
    let rows: [Row; 6] = [
        (|| broken(QueueErrorKind::Full), JobsError::QueueFull, RejectionReason::QueueFull),
        (|| broken(QueueErrorKind::Busy), JobsError::QueueFull, RejectionReason::QueueFull),
        (|| broken(QueueErrorKind::StorageFull), JobsError::StorageFull, RejectionReason::QueueFailed),
        (|| broken(QueueErrorKind::Corrupt), JobsError::Corrupt, RejectionReason::QueueFailed),
        (|| broken(QueueErrorKind::Unavailable), JobsError::Unavailable { job_id: None }, RejectionReason::QueueFailed),
        // The job may have been stored all the same, so the answer carries its id.
        (uncertain, JobsError::Unavailable { job_id: Some(id(42)) }, RejectionReason::QueueFailed),
    ];
    for (error, expected, reason) in rows {
        let mut queue = MockJobQueue::new();
        queue.expect_submit().once().returning(move |_| Err(error()));
        let (service, _stop) = service(queue, refusing(reason));
        let refused = service.submit(caller(Scope::Write), request("_any"), Duration::ZERO).await;
        assert_eq!(refused.err(), Some(expected));
    }
}

/// The key of one request, as the queue is asked for it.
async fn fingerprint_of(request: JobRequest) -> Idempotency {
    let (tell, told) = std::sync::mpsc::channel();
    let mut queue = MockJobQueue::new();
    queue.expect_replay().once().returning(move |idempotency| {
        tell.send(idempotency.clone()).expect("the test listens");
        Ok(Some(Stored::Replayed(Box::new(stored(JobStatus::Completed)))))
    });
    let (service, _stop) = service(queue, MockMetricsPort::new());
    let submitted = service.submit(caller(Scope::Write), request, Duration::ZERO).await.expect("replayed");
    assert!(submitted.replayed);
    told.recv().expect("asked")
}

#[tokio::test]
async fn a_repeated_request_is_found_before_its_target_is_resolved() {
    // `group:mail` matches no worker any more; the record answers all the same, and nothing is counted as refused.
    let with_key = |target: &str, timeout_seconds| JobRequest {
        idempotency_key: Some("k-1".parse().expect("a key")),
        timeout_seconds,
        ..request(target)
    };
    let asked = fingerprint_of(with_key("group:mail", None)).await;
    assert_eq!((asked.subject.as_str(), asked.key.as_str()), ("alice", "k-1"));
    assert_eq!(asked, fingerprint_of(with_key("group:mail", None)).await);
    assert_ne!(asked, fingerprint_of(with_key("group:web", None)).await);
    assert_ne!(asked, fingerprint_of(with_key("group:mail", Some(3))).await);
    // The defaults, written out, make no other request.
    let written_out = JobRequest {
        deadline_seconds: Some(DEFAULTS.deadline.as_secs()),
        ..with_key("group:mail", Some(DEFAULTS.timeout.as_secs()))
    };
    assert_eq!(asked, fingerprint_of(written_out).await);
}

#[tokio::test]
async fn a_key_of_another_request_and_that_of_a_deleted_job_are_refused() {
    let rows: [(Stored, JobsError, usize); 2] =
        [(Stored::KeyReused, JobsError::KeyReused, 1), (Stored::ReplayedDeleted(id(9)), JobsError::Deleted(id(9)), 0)];
    for (found, expected, counted) in rows {
        let mut queue = MockJobQueue::new();
        queue.expect_replay().once().return_once(|_| Ok(Some(found)));
        let mut metrics = MockMetricsPort::new();
        metrics.expect_job_rejected().times(counted).return_const(());
        let (service, _stop) = service(queue, metrics);
        let key = Some("k-1".parse().expect("a key"));
        let refused = service
            .submit(caller(Scope::Write), JobRequest { idempotency_key: key, ..request("_any") }, Duration::ZERO)
            .await;
        assert_eq!(refused.err(), Some(expected));
    }
}

#[tokio::test]
async fn a_wait_ends_with_the_job() {
    let mut queue = MockJobQueue::new();
    queue
        .expect_submit()
        .once()
        .returning(|submission| Ok(Stored::Created(Box::new(job(JobStatus::Queued, &submission.job)))));
    queue.expect_ended().once().returning(|_| Ok(Some(stored(JobStatus::Completed))));
    let (service, _stop) = service(queue, MockMetricsPort::new());
    let submitted = service.submit(caller(Scope::Write), request("_any"), Duration::from_secs(5)).await;
    assert_eq!(submitted.expect("accepted").job.summary.status, JobStatus::Completed);
}

#[tokio::test]
async fn an_accepted_job_stays_accepted_when_it_cannot_be_read_again() {
    let mut queue = MockJobQueue::new();
    queue
        .expect_submit()
        .once()
        .returning(|submission| Ok(Stored::Created(Box::new(job(JobStatus::Queued, &submission.job)))));
    queue.expect_ended().once().returning(|_| Err(broken(QueueErrorKind::Unavailable)));
    queue.expect_job().once().returning(|_| Err(broken(QueueErrorKind::Unavailable)));
    let (service, _stop) = service(queue, MockMetricsPort::new());
    let submitted = service.submit(caller(Scope::Write), request("_any"), Duration::from_secs(5)).await;
    assert_eq!(submitted.expect("accepted").job.summary.status, JobStatus::Queued);
}

#[tokio::test]
async fn a_retry_repeats_the_original_with_its_target_and_limits() {
    let mut queue = MockJobQueue::new();
    queue.expect_job().once().returning(|_| Ok(Some(stored(JobStatus::Failed))));
    queue.expect_submit().once().returning(|submission| {
        assert_eq!(submission.job.retried_from, Some(id(1)));
        assert_eq!(submission.job.target, "group:web".parse::<Target>().expect("a target"));
        assert_eq!(submission.job.timeout, Duration::from_secs(7));
        assert_eq!(submission.job.created_by, "alice");
        Ok(Stored::Created(Box::new(job(JobStatus::Queued, &submission.job))))
    });
    let (service, _stop) = service(queue, MockMetricsPort::new());
    let retried = service
        .retry(caller(Scope::Write), RetryRequest { id: id(1), target: None, idempotency_key: None })
        .await
        .expect("accepted");
    assert_eq!(retried.job.summary.deadline(), Duration::from_secs(70));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut queue = MockJobQueue::new();
    queue.expect_job().returning(|_| Ok(None));
    queue.expect_cancel().returning(|_| Ok(Cancelled::NotFound));
    queue.expect_delete().returning(|_| Ok(Deleted::NotFound));
    let (service, _stop) = service(queue, MockMetricsPort::new());
    let retry = RetryRequest { id: id(1), target: None, idempotency_key: None };
    assert_eq!(service.job(id(1), Duration::ZERO).await.err(), Some(JobsError::NotFound));
    assert_eq!(service.cancel(id(1)).await.err(), Some(JobsError::NotFound));
    assert_eq!(service.delete(id(1)).await.err(), Some(JobsError::NotFound));
    assert_eq!(service.retry(caller(Scope::Admin), retry).await.err(), Some(JobsError::NotFound));
}

#[tokio::test]
async fn what_comes_too_late_or_too_early_is_a_conflict() {
    let mut queue = MockJobQueue::new();
    queue.expect_cancel().returning(|_| Ok(Cancelled::AlreadyTerminal(JobStatus::Completed)));
    queue.expect_delete().returning(|_| Ok(Deleted::NotTerminal(JobStatus::Running)));
    let (service, _stop) = service(queue, MockMetricsPort::new());
    assert_eq!(service.cancel(id(1)).await.err(), Some(JobsError::Conflict(JobStatus::Completed)));
    assert_eq!(service.delete(id(1)).await.err(), Some(JobsError::Conflict(JobStatus::Running)));
}
