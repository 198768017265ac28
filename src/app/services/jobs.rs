//! Jobs, as operators use them: acceptance, waiting, repetition, cancellation.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::seldom::Seldom;
use crate::{
    domain::{
        Caller, Defaults, FieldError, Idempotency, IdempotencyKey, Job, JobId, NewJob, OperationKind, QueueStats,
        RequestFingerprint, Target, TimeLimits,
    },
    ports::{
        driven::{
            Cancelled, Deleted, JobIds, JobPage, JobQueue, MetricsPort, PageRequest, QueueError, QueueErrorKind,
            RejectionReason, Submission, Submitted as Stored, WorkerRegistry,
        },
        driving::{JobRequest, Jobs, JobsError, RetryRequest, Submitted},
    },
};

/// What the job service is made of.
pub struct JobServiceParts {
    /// Where jobs live.
    pub queue: Arc<dyn JobQueue>,
    /// Where targets are resolved.
    pub registry: Arc<dyn WorkerRegistry>,
    /// Where refusals are counted; accepted jobs are counted when the queue commits them.
    pub metrics: Arc<dyn MetricsPort>,
    /// New ids.
    pub ids: Arc<dyn JobIds>,
    /// Limits of requests that name none.
    pub defaults: Defaults,
    /// Turns `true` when the process stops: whoever waits for a job is answered then.
    pub stopping: watch::Receiver<bool>,
}

/// Accepts, shows, repeats, cancels and deletes jobs.
pub struct JobService {
    parts: JobServiceParts,
    /// Failures of the queue that were said.
    failures: Seldom,
}

/// A request before its target is resolved: what `submit` and `retry` have in common.
struct Intent {
    operation: crate::domain::Operation,
    target: Target,
    limits: TimeLimits,
    idempotency: Option<Idempotency>,
    retried_from: Option<JobId>,
}

impl JobService {
    /// A service over these parts.
    #[must_use]
    pub fn new(parts: JobServiceParts) -> Self {
        Self { parts, failures: Seldom::default() }
    }

    /// Finds the job that this request made before, or stores a new one.
    async fn accept(&self, caller: Caller, intent: Intent) -> Result<Submitted, JobsError> {
        let Intent { operation, target, limits, idempotency, retried_from } = intent;
        allow(&caller, operation.kind())?;
        if let Some(replayed) = self.replay(idempotency.as_ref()).await? {
            return Ok(replayed);
        }
        let workers = self.parts.registry.connected().await.map_err(|error| self.failed(&error, None))?;
        let id = self.parts.ids.next();
        let job = NewJob::accept(
            id,
            operation,
            target,
            &workers,
            limits,
            self.parts.defaults.max_attempts,
            caller.subject,
            retried_from,
        )
        .map_err(JobsError::Target)?;
        let effect = job.operation.kind().effect();
        let stored = self.parts.queue.submit(Submission { job, effect, idempotency }).await;
        found_or_made(stored.map_err(|error| self.failed(&error, Some(id)))?)
    }

    /// A repeated request is answered from its record, whatever has become of its target since.
    async fn replay(&self, idempotency: Option<&Idempotency>) -> Result<Option<Submitted>, JobsError> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        let stored = self.parts.queue.replay(idempotency).await.map_err(|error| self.failed(&error, None))?;
        stored.map(found_or_made).transpose()
    }

    async fn read(&self, id: JobId) -> Result<Job, JobsError> {
        self.parts.queue.job(id).await.map_err(|error| self.failed(&error, None))?.ok_or(JobsError::NotFound)
    }

    /// The job at its end, or as it is after `wait`, or when the process stops.
    async fn at_its_end(&self, id: JobId, wait: Duration) -> Result<Job, JobsError> {
        let mut stopping = self.parts.stopping.clone();
        let ended = tokio::select! {
            ended = self.parts.queue.ended(id) => ended.map_err(|error| self.failed(&error, Some(id))).ok(),
            () = tokio::time::sleep(wait) => None,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        match ended {
            Some(job) => job.ok_or(JobsError::NotFound),
            None => self.read(id).await,
        }
    }

    /// What a failure of the queue means for who called.
    fn failed(&self, error: &QueueError, job_id: Option<JobId>) -> JobsError {
        let kind = error.kind();
        if matches!(kind, QueueErrorKind::Full | QueueErrorKind::Busy) {
            return JobsError::QueueFull;
        }
        let cause = error as &dyn std::error::Error;
        if self.failures.is_time() {
            tracing::warn!(error = cause, "the queue failed");
        } else {
            tracing::debug!(error = cause, "the queue failed");
        }
        match kind {
            QueueErrorKind::StorageFull => JobsError::StorageFull,
            QueueErrorKind::Corrupt => JobsError::Corrupt,
            QueueErrorKind::TooLarge => JobsError::TooLarge,
            _ => {
                let job_id = error.job_id().or(job_id);
                JobsError::Unavailable { job_id: job_id.filter(|_| error.uncertain()) }
            }
        }
    }

    fn count_refusal<T>(&self, answer: Result<T, JobsError>) -> Result<T, JobsError> {
        if let Err(reason) = answer.as_ref().map_err(rejection)
            && let Some(reason) = reason
        {
            self.parts.metrics.job_rejected(reason);
        }
        answer
    }
}

fn allow(caller: &Caller, operation: OperationKind) -> Result<(), JobsError> {
    let required = operation.scope();
    if caller.scope.includes(required) { Ok(()) } else { Err(JobsError::Forbidden(required)) }
}

fn found_or_made(stored: Stored) -> Result<Submitted, JobsError> {
    match stored {
        Stored::Created(job) => Ok(Submitted { job: *job, replayed: false }),
        Stored::Replayed(job) => Ok(Submitted { job: *job, replayed: true }),
        Stored::ReplayedDeleted(id) => Err(JobsError::Deleted(id)),
        Stored::KeyReused => Err(JobsError::KeyReused),
    }
}

/// What a client may know of a queue's failure; the rest goes to the log.
/// The reason under which a refused request is counted; a replayed one was counted when it was accepted.
fn rejection(error: &JobsError) -> Option<RejectionReason> {
    match error {
        JobsError::Target(_) => Some(RejectionReason::Target),
        JobsError::Invalid(_) | JobsError::TooLarge => Some(RejectionReason::Invalid),
        JobsError::Forbidden(_) => Some(RejectionReason::Scope),
        JobsError::KeyReused => Some(RejectionReason::KeyReused),
        JobsError::QueueFull => Some(RejectionReason::QueueFull),
        JobsError::Unavailable { .. } | JobsError::StorageFull | JobsError::Corrupt => {
            Some(RejectionReason::QueueFailed)
        }
        JobsError::NotFound | JobsError::Conflict(_) | JobsError::Deleted(_) => None,
    }
}

/// The meaning of a request for a new job, without its formatting and with all defaults: what its idempotency key stands
/// for.
#[derive(serde::Serialize)]
struct CanonicalRequest<'a> {
    operation: &'static str,
    data: Option<Box<RawValue>>,
    target: &'a Target,
    timeout_ms: u128,
    deadline_ms: u128,
}

/// The meaning of a request to repeat a job.
#[derive(serde::Serialize)]
struct CanonicalRetry<'a> {
    retry: JobId,
    target: Option<&'a Target>,
}

fn idempotency(
    caller: &Caller,
    key: Option<IdempotencyKey>,
    request: &impl serde::Serialize,
) -> Result<Option<Idempotency>, JobsError> {
    let Some(key) = key else { return Ok(None) };
    let canonical = serde_json::to_vec(request).map_err(unwritable)?;
    let fingerprint = RequestFingerprint::of(&canonical);
    Ok(Some(Idempotency { subject: caller.subject.clone(), key, fingerprint }))
}

#[expect(clippy::needless_pass_by_value, reason = "it is an argument of map_err")]
fn unwritable(error: serde_json::Error) -> JobsError {
    JobsError::Invalid(vec![FieldError::new("operation.data", format!("cannot be stored: {error}"))])
}

#[async_trait]
impl Jobs for JobService {
    async fn submit(&self, caller: Caller, request: JobRequest, wait: Duration) -> Result<Submitted, JobsError> {
        let accepted = async {
            let limits = TimeLimits::resolve(
                request.timeout_seconds,
                request.deadline_seconds,
                request.operation.own_timeout(),
                &self.parts.defaults,
            )
            .map_err(JobsError::Invalid)?;
            let canonical = CanonicalRequest {
                operation: request.operation.kind().name(),
                data: request.operation.data().map_err(unwritable)?,
                target: &request.target,
                timeout_ms: limits.timeout.as_millis(),
                deadline_ms: limits.deadline.as_millis(),
            };
            let idempotency = idempotency(&caller, request.idempotency_key, &canonical)?;
            let JobRequest { operation, target, .. } = request;
            self.accept(caller, Intent { operation, target, limits, idempotency, retried_from: None }).await
        };
        let mut submitted = self.count_refusal(accepted.await)?;
        if !wait.is_zero() && !submitted.job.summary.status.is_terminal() {
            let id = submitted.job.summary.id;
            // Accepted stays accepted: when the job cannot be read now, the answer is the job as it was.
            submitted.job = self.at_its_end(id, wait).await.unwrap_or(submitted.job);
        }
        Ok(submitted)
    }

    async fn job(&self, id: JobId, wait: Duration) -> Result<Job, JobsError> {
        if wait.is_zero() { self.read(id).await } else { self.at_its_end(id, wait).await }
    }

    async fn list(&self, request: PageRequest) -> Result<JobPage, JobsError> {
        self.parts.queue.jobs(request).await.map_err(|error| self.failed(&error, None))
    }

    async fn stats(&self) -> Result<QueueStats, JobsError> {
        self.parts.queue.stats().await.map_err(|error| self.failed(&error, None))
    }

    async fn retry(&self, caller: Caller, request: RetryRequest) -> Result<Submitted, JobsError> {
        let accepted = async {
            let canonical = CanonicalRetry { retry: request.id, target: request.target.as_ref() };
            let idempotency = idempotency(&caller, request.idempotency_key, &canonical)?;
            if let Some(replayed) = self.replay(idempotency.as_ref()).await? {
                return Ok(replayed);
            }
            let original = self.read(request.id).await?.summary;
            let limits = TimeLimits { timeout: original.timeout, deadline: original.deadline() };
            let target = request.target.unwrap_or(original.target);
            let retried_from = Some(original.id);
            self.accept(caller, Intent { operation: original.operation, target, limits, idempotency, retried_from })
                .await
        };
        self.count_refusal(accepted.await)
    }

    async fn cancel(&self, id: JobId) -> Result<Job, JobsError> {
        match self.parts.queue.cancel(id).await.map_err(|error| self.failed(&error, None))? {
            Cancelled::Accepted(job) => Ok(*job),
            Cancelled::AlreadyTerminal(status) => Err(JobsError::Conflict(status)),
            Cancelled::NotFound => Err(JobsError::NotFound),
        }
    }

    async fn delete(&self, id: JobId) -> Result<(), JobsError> {
        match self.parts.queue.delete(id).await.map_err(|error| self.failed(&error, None))? {
            Deleted::Done => Ok(()),
            Deleted::NotTerminal(status) => Err(JobsError::Conflict(status)),
            Deleted::NotFound => Err(JobsError::NotFound),
        }
    }
}
