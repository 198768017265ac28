//! The process and its runtime.

use super::{
    family::{Family, Kind},
    labels::WORKER_INDEX,
};

/// Processor time.
pub const CPU: Family = Family::new(
    Kind::ObservableCounter,
    "process.cpu",
    "process_cpu_seconds_total",
    "s",
    "User and system time that the process spent on processors.",
);

/// Memory.
pub const RESIDENT_MEMORY: Family = Family::new(
    Kind::ObservableGauge,
    "process.resident_memory",
    "process_resident_memory_bytes",
    "By",
    "Resident memory.",
);

/// File descriptors.
pub const OPEN_FDS: Family =
    Family::new(Kind::ObservableGauge, "process.open_fds", "process_open_fds", "{file}", "Open file descriptors.");

/// The limit of file descriptors.
pub const MAX_FDS: Family = Family::new(
    Kind::ObservableGauge,
    "process.max_fds",
    "process_max_fds",
    "{file}",
    "The most file descriptors that may be open.",
);

/// Start.
pub const START_TIME: Family = Family::new(
    Kind::ObservableGauge,
    "process.start_time",
    "process_start_time_seconds",
    "s",
    "Unix time of the start of the process.",
);

/// Threads.
pub const THREADS: Family =
    Family::new(Kind::ObservableGauge, "process.threads", "process_threads", "{thread}", "Threads of the process.");

/// Lines of the log that were lost.
pub const LOG_RECORDS_DROPPED: Family = Family::new(
    Kind::ObservableCounter,
    "osapi.log.records_dropped",
    "osapi_log_records_dropped_total",
    "{record}",
    "Log records that could not be written, because what the log is written to failed or blocked.",
);

/// Threads that run tasks.
pub const RUNTIME_WORKERS: Family = Family::new(
    Kind::ObservableGauge,
    "tokio.workers",
    "tokio_workers",
    "{thread}",
    "Threads on which the asynchronous runtime runs tasks.",
)
.in_development();

/// Tasks.
pub const RUNTIME_ALIVE_TASKS: Family = Family::new(
    Kind::ObservableGauge,
    "tokio.alive_tasks",
    "tokio_alive_tasks",
    "{task}",
    "Tasks of the asynchronous runtime that have not ended.",
)
.in_development();

/// Waiting tasks.
pub const RUNTIME_QUEUE_DEPTH: Family = Family::new(
    Kind::ObservableGauge,
    "tokio.global_queue_depth",
    "tokio_global_queue_depth",
    "{task}",
    "Tasks in the global queue of the asynchronous runtime.",
)
.in_development();

/// Busy threads.
pub const RUNTIME_WORKER_BUSY: Family = Family::new(
    Kind::ObservableCounter,
    "tokio.worker.busy",
    "tokio_worker_busy_seconds_total",
    "s",
    "Time that a thread of the asynchronous runtime was busy.",
)
.labels(&[WORKER_INDEX])
.in_development();
