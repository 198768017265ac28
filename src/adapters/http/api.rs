//! The handlers: read a request, call a port, show its answer.

use std::sync::Arc;

use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::{
    answers::{Accepted, Found, Removed},
    metrics_page::{MetricsPage, page},
    parameters::{Cursor, Limit, Parameter},
    prefer::Prefer,
    problem::ApiError,
    problem_kind::ProblemKind,
    security::{Scope, Verified},
    waits::Waits,
    wire::{Alive, Body, Job, JobPage, Json, NewJob, NewRetry, Readiness, Report, Stats, Worker, WorkerList},
};
use crate::{
    domain::{FieldError, Hostname, IdempotencyKey, JobId, JobStatus, OperationKind, Target},
    ports::{
        driven::{JobFilter, PageRequest},
        driving::{Health, JobRequest, Jobs, RetryRequest, Scrape, Workers},
    },
};

/// Jobs on a page when nobody says how many.
const PAGE: u32 = 20;

/// The API over the driving ports.
pub(super) struct Api {
    pub(super) jobs: Arc<dyn Jobs>,
    pub(super) workers: Arc<dyn Workers>,
    pub(super) health: Arc<dyn Health>,
    pub(super) scrape: Option<Arc<dyn Scrape>>,
    pub(super) waits: Arc<Waits>,
}

#[OpenApi]
impl Api {
    /// Submit a job
    ///
    /// 201 is sent after the job is durable. With `Prefer: wait=N` the answer is held until the job has ended or N
    /// seconds (at most 60) have passed. A repetition with the same `Idempotency-Key` finds the same job.
    #[oai(path = "/api/v1/jobs", method = "post", operation_id = "submit_job")]
    async fn submit(
        &self,
        #[oai(scope = "Scope::Write")] caller: Verified,
        /// Makes a repetition of the request find the same job, for at least 24 hours.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<Parameter<IdempotencyKey>>>,
        /// `wait=N` holds the answer until the job has ended or N seconds, at most 60, have passed (RFC 7240).
        #[oai(name = "Prefer")]
        prefer: Header<Prefer>,
        body: Body<NewJob>,
    ) -> Result<Accepted, ApiError> {
        let NewJob { operation, target, timeout_seconds, deadline_seconds } = body.0;
        let idempotency_key = idempotency_key.0.map(|key| key.0);
        let request = JobRequest { operation, target, timeout_seconds, deadline_seconds, idempotency_key };
        let wait = self.waits.begin(&caller.0, prefer.wait.unwrap_or_default());
        let submitted = self.jobs.submit(caller.0, request, wait.time).await?;
        Ok(Accepted::of(submitted, prefer.applied().filter(|_| wait.granted)))
    }

    /// List jobs, newest first
    ///
    /// All filters that are given must hold. A page can be short and still have a next one: go on while there is a
    /// `next_cursor`.
    #[oai(path = "/api/v1/jobs", method = "get", operation_id = "list_jobs")]
    #[expect(clippy::too_many_arguments, reason = "each is one parameter of the request")]
    async fn list(
        &self,
        #[oai(scope = "Scope::Read")] _caller: Verified,
        /// Jobs at this status
        status: Query<Option<Parameter<JobStatus>>>,
        /// Jobs of this operation
        operation: Query<Option<Parameter<OperationKind>>>,
        /// Jobs with exactly this target
        target: Query<Option<Parameter<Target>>>,
        /// Jobs with an execution on, or meant for, this host
        worker: Query<Option<Parameter<Hostname>>>,
        /// How many jobs at most
        limit: Query<Option<Parameter<Limit>>>,
        /// The `next_cursor` of the page before
        cursor: Query<Option<Parameter<Cursor>>>,
    ) -> Result<Json<JobPage>, ApiError> {
        let filter = JobFilter {
            status: status.0.map(|status| status.0),
            operation: operation.0.map(|operation| operation.0),
            target: target.0.map(|target| target.0),
            worker: worker.0.map(|worker| worker.0),
        };
        let limit = limit.0.map_or(PAGE, |limit| limit.0.0);
        let before = cursor.0.map(|cursor| cursor.0.0);
        Ok(Json(self.jobs.list(PageRequest { filter, before, limit }).await?.into()))
    }

    /// The figures of the queue
    ///
    /// Jobs by status and by operation, what waits, and lifetime totals, all of one moment.
    #[oai(path = "/api/v1/jobs/stats", method = "get", operation_id = "job_stats")]
    async fn stats(&self, #[oai(scope = "Scope::Read")] _caller: Verified) -> Result<Json<Stats>, ApiError> {
        Ok(Json((&self.jobs.stats().await?).into()))
    }

    /// A job with its executions
    ///
    /// With `Prefer: wait=N` the answer is held until the job has ended or N seconds (at most 60) have passed.
    #[oai(path = "/api/v1/jobs/:id", method = "get", operation_id = "get_job")]
    async fn job(
        &self,
        #[oai(scope = "Scope::Read")] caller: Verified,
        /// The id of the job.
        id: Path<Parameter<JobId>>,
        /// `wait=N` holds the answer until the job has ended or N seconds, at most 60, have passed (RFC 7240).
        #[oai(name = "Prefer")]
        prefer: Header<Prefer>,
    ) -> Result<Found, ApiError> {
        let wait = self.waits.begin(&caller.0, prefer.wait.unwrap_or_default());
        let job = self.jobs.job(id.0.0, wait.time).await?;
        Ok(Found::Job(Json(job.into()), prefer.applied().filter(|_| wait.granted)))
    }

    /// Delete a job that has ended
    ///
    /// What it was stays counted; an idempotency key that made it keeps its place and answers 410. A job that has not
    /// ended is 409.
    #[oai(path = "/api/v1/jobs/:id", method = "delete", operation_id = "delete_job")]
    async fn delete(
        &self,
        #[oai(scope = "Scope::Write")] _caller: Verified,
        /// The id of the job.
        id: Path<Parameter<JobId>>,
    ) -> Result<Removed, ApiError> {
        self.jobs.delete(id.0.0).await?;
        Ok(Removed::Done)
    }

    /// Repeat a job as a new one
    ///
    /// The new job has the operation and the limits of the old one, and its target unless the body names another. The
    /// role that the operation needs is needed again.
    #[oai(path = "/api/v1/jobs/:id/retry", method = "post", operation_id = "retry_job")]
    async fn retry(
        &self,
        #[oai(scope = "Scope::Write")] caller: Verified,
        /// The id of the job.
        id: Path<Parameter<JobId>>,
        /// Makes a repetition of the request find the same job, for at least 24 hours.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<Parameter<IdempotencyKey>>>,
        body: Body<NewRetry>,
    ) -> Result<Accepted, ApiError> {
        let idempotency_key = idempotency_key.0.map(|key| key.0);
        let request = RetryRequest { id: id.0.0, target: body.0.target, idempotency_key };
        Ok(Accepted::of(self.jobs.retry(caller.0, request).await?, None))
    }

    /// Cancel a job
    ///
    /// What waits never runs; what runs is asked to stop, and stays `running` until its worker confirms.
    #[oai(path = "/api/v1/jobs/:id/cancel", method = "post", operation_id = "cancel_job")]
    async fn cancel(
        &self,
        #[oai(scope = "Scope::Write")] _caller: Verified,
        /// The id of the job.
        id: Path<Parameter<JobId>>,
    ) -> Result<Json<Job>, ApiError> {
        Ok(Json(self.jobs.cancel(id.0.0).await?.into()))
    }

    /// The connected workers
    ///
    /// Ordered by hostname. A worker leaves the list when it has been silent for three heartbeats.
    #[oai(path = "/api/v1/workers", method = "get", operation_id = "list_workers")]
    async fn workers(&self, #[oai(scope = "Scope::Read")] _caller: Verified) -> Result<Json<WorkerList>, ApiError> {
        Ok(Json(self.workers.list().await?.into()))
    }

    /// Let a worker claim nothing more
    ///
    /// What it runs goes on. It stays so until it is undone, also when the worker starts again.
    #[oai(path = "/api/v1/workers/:hostname/drain", method = "post", operation_id = "drain_worker")]
    async fn drain(
        &self,
        #[oai(scope = "Scope::Write")] _caller: Verified,
        /// The hostname of the worker.
        hostname: Path<Parameter<Hostname>>,
    ) -> Result<Json<Worker>, ApiError> {
        Ok(Json(self.workers.set_draining(hostname.0.0, true).await?.into()))
    }

    /// Let a worker claim again
    ///
    /// Undoes a drain; a worker that does not drain stays as it is.
    #[oai(path = "/api/v1/workers/:hostname/undrain", method = "post", operation_id = "undrain_worker")]
    async fn undrain(
        &self,
        #[oai(scope = "Scope::Write")] _caller: Verified,
        /// The hostname of the worker.
        hostname: Path<Parameter<Hostname>>,
    ) -> Result<Json<Worker>, ApiError> {
        Ok(Json(self.workers.set_draining(hostname.0.0, false).await?.into()))
    }

    /// Whether the process answers
    ///
    /// Says nothing about what it needs: for that there is `/health/ready`.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn alive(&self) -> Result<Json<Alive>, ApiError> {
        Ok(Json(Alive::OK))
    }

    /// Whether requests can be served
    ///
    /// The problem names the components that do not work.
    #[oai(path = "/health/ready", method = "get", operation_id = "health_ready")]
    async fn ready(&self) -> Result<Json<Readiness>, ApiError> {
        readiness(&*self.health).await
    }

    /// Version, uptime, components and the figures of the queue
    ///
    /// The whole report, for people and dashboards. It is 200 also when a component does not work.
    #[oai(path = "/health/status", method = "get", operation_id = "health_status")]
    async fn status(&self, #[oai(scope = "Scope::Read")] _caller: Verified) -> Result<Json<Report>, ApiError> {
        Ok(Json(self.health.report().await.into()))
    }

    /// The metrics, as Prometheus reads them
    ///
    /// The text format 0.0.4, compressed where the scraper takes that. With a listener of their own they are served
    /// there alone.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, request: &Request) -> Result<MetricsPage, ApiError> {
        match &self.scrape {
            Some(scrape) => page(&**scrape, request).await,
            None => Err(ApiError::new(ProblemKind::NoMetrics, "metrics are not served here")),
        }
    }
}

/// Whether requests can be served.
pub(super) async fn readiness(health: &dyn Health) -> Result<Json<Readiness>, ApiError> {
    let readiness = health.readiness().await;
    if readiness.is_ready() {
        return Ok(Json(readiness.into()));
    }
    let down = readiness.components.into_iter().filter(|component| !component.up);
    let errors = down.map(|component| FieldError::new(component.name, component.message.unwrap_or_default()));
    let refused = ApiError::new(ProblemKind::NotReady, "a component does not work");
    Err(refused.with_errors(errors.collect()))
}
