//! The adapter behind the three metrics ports.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;

use super::{
    config::{OtelConfig, SetupError},
    endpoint_series::EndpointSeries,
    fleet_series,
    http_series::HttpSeries,
    instruments::{Instruments, view},
    job_series::JobSeries,
    observation::{Observation, Observed},
    page,
    process_figures::ProcessFigures,
    process_series,
    resource::resource,
    worker_series::WorkerSeries,
};
use crate::{
    domain::{ExecutionStatus, Hostname, JobStatus, OperationKind},
    ports::driven::{
        AuthError, ExpositionError, FleetSnapshot, HttpEnd, HttpMethod, HttpMetrics, Limit, MetricsExposition,
        MetricsPort, QueueOperation, QueueOutcome, RejectionReason, RouteId, ScrapeEnd,
    },
};

/// Records into OpenTelemetry instruments and renders them for Prometheus.
pub struct OtelMetrics {
    jobs: JobSeries,
    worker: WorkerSeries,
    http: HttpSeries,
    endpoint: EndpointSeries,
    registry: Registry,
    pub(super) instruments: Instruments,
    /// Whose turn it is to collect.
    turn: Mutex<()>,
    /// Held for life: without it the exporter returns nothing.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held and not used"))]
    pub(super) provider: SdkMeterProvider,
}

impl OtelMetrics {
    /// Builds all instruments of the catalogue.
    pub fn new(config: &OtelConfig) -> Result<Arc<Self>, SetupError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| SetupError(error.to_string()))?;
        let provider = SdkMeterProvider::builder()
            .with_reader(exporter)
            .with_resource(resource(config))
            .with_view(view(config.routes.len())?)
            .build();
        let instruments = Instruments { meter: provider.meter("osapi"), observed: Observed::default() };
        fleet_series::register(&instruments, config.queue);
        process_series::register(&instruments, &config.log_records_dropped, config.runtime.as_ref());
        Ok(Arc::new(Self {
            jobs: JobSeries::new(&instruments),
            worker: WorkerSeries::new(&instruments),
            http: HttpSeries::new(&instruments, &config.routes),
            endpoint: EndpointSeries::new(&instruments, config),
            registry,
            instruments,
            turn: Mutex::new(()),
            provider,
        }))
    }
}

impl MetricsPort for OtelMetrics {
    fn job_created(&self, operation: OperationKind) {
        self.jobs.created(operation);
    }

    fn job_completed(&self, operation: OperationKind, status: JobStatus, end_to_end: Duration) {
        self.jobs.completed(operation, status, end_to_end);
    }

    fn job_rejected(&self, reason: RejectionReason) {
        self.jobs.rejected(reason);
    }

    fn execution_claimed(&self, operation: OperationKind, waited: Duration) {
        self.jobs.claimed(operation, waited);
    }

    fn execution_started(&self, operation: OperationKind) {
        self.jobs.started(operation);
    }

    fn execution_stopped(&self, operation: OperationKind) {
        self.jobs.stopped(operation);
    }

    fn execution_finished(&self, operation: OperationKind, status: ExecutionStatus, ran: Duration) {
        // One that went back to the queue has not ended.
        if status.is_terminal() {
            self.jobs.finished(operation, status, ran);
            self.worker.finished(status);
        }
    }

    fn execution_redelivered(&self, operation: OperationKind) {
        self.jobs.redelivered(operation);
    }

    fn queue_reconnected(&self) {
        self.jobs.reconnected();
    }

    fn queue_copy_lag(&self, records: u64) {
        self.jobs.copy_lag(records);
    }

    fn task_panicked(&self) {
        self.jobs.task_panicked();
    }

    fn stale_result(&self) {
        self.jobs.stale_result();
    }

    fn worker_joined(&self, hostname: &Hostname) {
        self.worker.joined(hostname);
    }

    fn worker_left(&self) {
        self.worker.left();
    }

    fn queue_called(&self, operation: QueueOperation, outcome: QueueOutcome, took: Duration) {
        self.jobs.queue_called(operation, outcome, took);
    }
}

impl HttpMetrics for OtelMetrics {
    fn request_started(&self, method: HttpMethod) {
        self.http.started(method);
    }

    fn request_stopped(&self, method: HttpMethod) {
        self.http.stopped(method);
    }

    fn request_finished(&self, route: RouteId, method: HttpMethod, end: HttpEnd, took: Duration, waited: bool) {
        self.http.finished(route, method, end, took, waited);
    }

    fn auth_rejected(&self, reason: AuthError) {
        self.http.auth_rejected(reason);
    }

    fn limit_reached(&self, limit: Limit) {
        self.http.limit_reached(limit);
    }
}

impl MetricsExposition for OtelMetrics {
    fn render(&self, snapshot: FleetSnapshot) -> Result<String, ExpositionError> {
        let started = Instant::now();
        let observation = Observation { fleet: snapshot, process: ProcessFigures::read() };
        let families = {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            self.instruments.observed.during(observation, || self.registry.gather()).map_err(ExpositionError)?
        };
        let page = page::write(&families)?;
        self.endpoint.page_made(started.elapsed());
        Ok(page)
    }

    fn scrape_started(&self) {
        self.endpoint.started();
    }

    fn scrape_stopped(&self) {
        self.endpoint.stopped();
    }

    fn scrape_answered(&self, end: ScrapeEnd) {
        self.endpoint.answered(end);
    }
}
