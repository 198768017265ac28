//! An adapter with a few routes, and snapshots of a small fleet.

use std::sync::Arc;

use jiff::Timestamp;
use osapi::{
    adapters::metrics::{OtelConfig, OtelMetrics},
    domain::{InstanceId, JobStatus, Labels, QueueStats, Worker, WorkerState},
    ports::driven::{Durability, FleetSnapshot, MetricsExposition, QueueInfo, Route, RouteId},
};

use crate::exposition::Page;

pub(super) const JOBS: RouteId = RouteId(0);
pub(super) const JOB: RouteId = RouteId(1);
pub(super) const HEALTH: RouteId = RouteId(2);
pub(super) const UNMATCHED: RouteId = RouteId(3);

pub(super) fn config() -> OtelConfig {
    let route = |template: &str, timed| Route { template: template.to_owned(), timed };
    OtelConfig {
        routes: vec![
            route("/api/v1/jobs", true),
            route("/api/v1/jobs/{id}", true),
            route("/health", false),
            route("unmatched", true),
        ],
        queue: QueueInfo { backend: "embedded", durability: Durability::PowerLoss },
        version: "1.2.3".to_owned(),
        revision: "abc1234".to_owned(),
        service_name: None,
        resource_attributes: None,
        log_records_dropped: Arc::default(),
        runtime: None,
    }
}

pub(crate) fn metrics() -> Arc<OtelMetrics> {
    OtelMetrics::new(&config()).expect("the catalogue is valid")
}

/// The page with this snapshot; it keeps all the rules of the format.
pub(crate) fn page_with(metrics: &OtelMetrics, snapshot: FleetSnapshot) -> Page {
    let text = metrics.render(snapshot).expect("a page");
    Page::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The page of a process that cannot reach its store.
pub(super) fn page(metrics: &OtelMetrics) -> Page {
    page_with(metrics, FleetSnapshot::default())
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

pub(crate) fn worker(hostname: &str) -> Worker {
    Worker {
        hostname: hostname.parse().expect("a hostname"),
        instance: InstanceId(uuid::Uuid::nil()),
        labels: Labels::default(),
        state: WorkerState::Ready,
        slots: 10,
        slots_used: 4,
        version: "1.2.3".to_owned(),
        commands_enabled: false,
        started_at: at(1_000),
        last_heartbeat_at: at(1_700_000_000),
        clock_offset: jiff::SignedDuration::from_millis(-2_500),
    }
}

/// Seven jobs were ever accepted: two ended, three wait, two run.
pub(super) fn stats() -> QueueStats {
    let mut stats = QueueStats { depth: 5, ..QueueStats::default() };
    stats.jobs[0][JobStatus::Queued.index()] = 3;
    stats.jobs[1][JobStatus::Running.index()] = 2;
    stats.jobs[1][JobStatus::Failed.index()] = 1;
    stats.ledger.created = 7;
    stats.ledger.completed[JobStatus::Failed.index()] = 2;
    stats.oldest_waiting = Some(std::time::Duration::from_secs(30));
    stats.longest_run = Some(std::time::Duration::from_secs(10));
    stats.hosts_waited_for = ["web-01", "web-98", "web-99"].map(|host| host.parse().unwrap()).to_vec();
    stats
}

pub(super) fn snapshot(workers: &[&str]) -> FleetSnapshot {
    FleetSnapshot {
        queue_connected: true,
        queue: Some(stats()),
        workers: Some(workers.iter().map(|hostname| worker(hostname)).collect()),
        components: vec![("queue", true), ("workers", false)],
    }
}
