//! The fleet as the store and the registry see it: one snapshot per page, the same in every API process.

use super::{
    family::{Family, Kind},
    labels::{BACKEND, COMPONENT, DURABILITY, JOB_STATUS, TERMINAL_JOB_STATUS, WORKER},
};

/// Connected workers.
pub const WORKERS_CONNECTED: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.workers.connected",
    "osapi_workers_connected",
    "{worker}",
    "Workers with a live heartbeat. Every API process reports all of them: use max().",
)
.same_everywhere();

/// Capacity.
pub const WORKER_SLOTS: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.worker.slots",
    "osapi_worker_slots",
    "{execution}",
    "Executions that a connected worker runs at once. Every API process reports all workers: use max().",
)
.labels(&[WORKER])
.same_everywhere();

/// Saturation.
pub const WORKER_SLOTS_USED: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.worker.slots_used",
    "osapi_worker_slots_used",
    "{execution}",
    "Executions that a connected worker runs, by its last heartbeat. Every API process reports all workers: use max().",
)
.labels(&[WORKER])
.same_everywhere();

/// Freshness.
pub const WORKER_LAST_HEARTBEAT: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.worker.last_heartbeat.timestamp",
    "osapi_worker_last_heartbeat_timestamp_seconds",
    "s",
    "Unix time of a connected worker's last heartbeat. Every API process reports all workers: use max().",
)
.labels(&[WORKER])
.same_everywhere();

/// Wrong clocks.
pub const WORKER_CLOCK_OFFSET: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.worker.clock_offset",
    "osapi_worker_clock_offset_seconds",
    "s",
    "How far the clock of a connected worker's host is ahead of this process's clock; negative when it is behind.",
)
.labels(&[WORKER]);

/// System health.
pub const COMPONENT_UP: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.health.component_up",
    "osapi_health_component_up",
    "{component}",
    "Whether a component of the service works: 1 or 0.",
)
.labels(&[COMPONENT]);

/// Backlog.
pub const QUEUE_DEPTH: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.queue.depth",
    "osapi_queue_depth",
    "{execution}",
    "Executions that wait. Every API process reports the whole queue: use max().",
)
.same_everywhere();

/// Work that no connected worker can take.
pub const QUEUE_ABSENT_HOSTS: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.queue.absent_hosts",
    "osapi_queue_absent_hosts",
    "{host}",
    "Hosts that executions wait for and that have no connected worker. Every API process reports the whole fleet: use \
     max().",
)
.same_everywhere();

/// The number to page on.
pub const QUEUE_OLDEST_AGE: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.queue.oldest_job_age",
    "osapi_queue_oldest_job_age_seconds",
    "s",
    "Age of the oldest job that waits; 0 if and only if none does. Every API process reports the whole queue: use max().",
)
.same_everywhere();

/// A hung job.
pub const LONGEST_RUNNING: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.job.longest_running",
    "osapi_job_longest_running_seconds",
    "s",
    "Time for which the longest running execution has been running; 0 when none runs. Every API process reports the \
     whole fleet: use max().",
)
.same_everywhere();

/// Lifetime total of accepted jobs.
pub const LEDGER_CREATED: Family = Family::new(
    Kind::ObservableCounter,
    "osapi.ledger.jobs_created",
    "osapi_ledger_jobs_created_total",
    "{job}",
    "Jobs ever accepted, kept in the store with the jobs: survives restarts. Every API process reports all: use max().",
)
.same_everywhere();

/// Lifetime totals of ended jobs.
pub const LEDGER_COMPLETED: Family = Family::new(
    Kind::ObservableCounter,
    "osapi.ledger.jobs_completed",
    "osapi_ledger_jobs_completed_total",
    "{job}",
    "Jobs that ever became terminal, kept in the store with the jobs: survives restarts. Every API process reports all: \
     use max().",
)
.labels(&[TERMINAL_JOB_STATUS])
.same_everywhere();

/// What the store holds.
pub const LEDGER_JOBS: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.ledger.jobs",
    "osapi_ledger_jobs",
    "{job}",
    "Jobs now in the store. Every API process reports all: use max().",
)
.labels(&[JOB_STATUS])
.same_everywhere();

/// The link to the queue.
pub const QUEUE_CONNECTED: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.queue.connected",
    "osapi_queue_connected",
    "{connection}",
    "Whether the queue answered when this page was made: 1 or 0.",
);

/// What the queue is.
pub const QUEUE_INFO: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.queue.info",
    "osapi_queue_info",
    "{queue}",
    "What the queue is; always 1.",
)
.labels(&[BACKEND, DURABILITY]);
