//! Jobs and executions, counted by the process in which the change was made: sums over processes are right.

use super::{
    family::{Family, Kind},
    labels::{
        OPERATION, OWN_WORKER, QUEUE_OPERATION, QUEUE_OUTCOME, REJECTION, TERMINAL_EXECUTION_STATUS,
        TERMINAL_JOB_STATUS,
    },
};

/// From the fastest read of a file to the longest run that is common.
const RUN_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Waiting ends with the deadline, which is an hour unless a job names its own.
const WAIT_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Accepted jobs.
pub const CREATED: Family = Family::new(
    Kind::Counter,
    "osapi.jobs.created",
    "osapi_jobs_created_total",
    "{job}",
    "Jobs that this process accepted, repetitions of earlier jobs included; a replayed request is not counted again.",
)
.labels(&[OPERATION]);

/// Ended jobs.
pub const COMPLETED: Family = Family::new(
    Kind::Counter,
    "osapi.jobs.completed",
    "osapi_jobs_completed_total",
    "{job}",
    "Jobs that reached a terminal status, once each, counted by the process that made them terminal.",
)
.labels(&[OPERATION, TERMINAL_JOB_STATUS]);

/// Time of running.
pub const DURATION: Family = Family::new(
    Kind::Histogram,
    "osapi.job.duration",
    "osapi_job_duration_seconds",
    "s",
    "Time that an execution ran on this process's worker.",
)
.labels(&[OPERATION, TERMINAL_EXECUTION_STATUS])
.buckets(RUN_BUCKETS);

/// Running executions.
pub const ACTIVE: Family = Family::new(
    Kind::UpDownCounter,
    "osapi.jobs.active",
    "osapi_jobs_active",
    "{execution}",
    "Executions that run in this process now.",
)
.labels(&[OPERATION]);

/// Time of waiting.
pub const QUEUE_DURATION: Family = Family::new(
    Kind::Histogram,
    "osapi.job.queue.duration",
    "osapi_job_queue_duration_seconds",
    "s",
    "Time from the acceptance of a job to the claim of one of its executions by this process's worker.",
)
.labels(&[OPERATION])
.buckets(WAIT_BUCKETS);

/// The whole life.
pub const END_TO_END_DURATION: Family = Family::new(
    Kind::Histogram,
    "osapi.job.end_to_end.duration",
    "osapi_job_end_to_end_duration_seconds",
    "s",
    "Time from the acceptance of a job to its terminal status, per job.",
)
.labels(&[OPERATION])
.buckets(WAIT_BUCKETS);

/// Lost leases.
pub const REDELIVERED: Family = Family::new(
    Kind::Counter,
    "osapi.jobs.redelivered",
    "osapi_jobs_redelivered_total",
    "{execution}",
    "Executions that went back to the queue because a lease ended.",
)
.labels(&[OPERATION]);

/// Refused at the door.
pub const REJECTED: Family = Family::new(
    Kind::Counter,
    "osapi.jobs.rejected",
    "osapi_jobs_rejected_total",
    "{job}",
    "Requests for a job that were refused.",
)
.labels(&[REJECTION]);

/// Fenced results.
pub const STALE_RESULTS: Family = Family::new(
    Kind::Counter,
    "osapi.stale_results",
    "osapi_stale_results_total",
    "{result}",
    "Results that came after their claim had become void and were dropped.",
);

/// Work of this process's worker.
pub const PROCESSED_BY_WORKER: Family = Family::new(
    Kind::ObservableCounter,
    "osapi.worker.jobs_processed",
    "osapi_worker_jobs_processed_total",
    "{execution}",
    "Executions that the worker of this process finished; gone when the worker is.",
)
.labels(&[TERMINAL_EXECUTION_STATUS, OWN_WORKER]);

/// Outages of the link.
pub const QUEUE_RECONNECTS: Family = Family::new(
    Kind::Counter,
    "osapi.queue.reconnects",
    "osapi_queue_reconnects_total",
    "{reconnection}",
    "Times that this process found the queue again after it had lost its connection; always 0 for an embedded queue.",
);

/// How far this process's answers lag.
pub const QUEUE_COPY_LAG: Family = Family::new(
    Kind::Gauge,
    "osapi.queue.copy_lag_records",
    "osapi_queue_copy_lag_records",
    "{record}",
    "Records of the queue that this process's copy of the jobs lacks; 0 while it lags by less than 2 s, and for an \
     embedded queue.",
);

/// A bug that did not stop the process.
pub const TASK_PANICS: Family = Family::new(
    Kind::Counter,
    "osapi.task.panics",
    "osapi_task_panics_total",
    "{panic}",
    "Background tasks of the queue that panicked and were started again.",
);

/// Health of store or broker.
pub const QUEUE_OPERATION_DURATION: Family = Family::new(
    Kind::Histogram,
    "osapi.queue.operation.duration",
    "osapi_queue_operation_duration_seconds",
    "s",
    "Time that a call to the queue took; calls that wait for work or for the end of a job are left out.",
)
.labels(&[QUEUE_OUTCOME, QUEUE_OPERATION])
.buckets(&[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]);
