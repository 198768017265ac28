//! The whole catalogue.

use super::{
    endpoint,
    family::{Family, Kind},
    fleet, http, job, process,
};

/// What the process says about itself to whoever joins series from many: written by the exporter.
pub const TARGET_INFO: Family = Family::new(Kind::Info, "target_info", "target_info", "", "Target metadata");

/// Every family that can be on the page, in the order of the documentation.
pub const FAMILIES: &[Family] = &[
    http::REQUEST_DURATION,
    http::REQUESTS,
    http::ACTIVE_REQUESTS,
    http::WAIT_DURATION,
    http::PANICS,
    http::AUTH_REJECTIONS,
    job::CREATED,
    job::COMPLETED,
    job::DURATION,
    job::ACTIVE,
    job::QUEUE_DURATION,
    job::END_TO_END_DURATION,
    job::REDELIVERED,
    job::REJECTED,
    job::STALE_RESULTS,
    job::PROCESSED_BY_WORKER,
    fleet::WORKERS_CONNECTED,
    fleet::WORKER_SLOTS,
    fleet::WORKER_SLOTS_USED,
    fleet::WORKER_LAST_HEARTBEAT,
    fleet::COMPONENT_UP,
    fleet::QUEUE_DEPTH,
    fleet::QUEUE_OLDEST_AGE,
    fleet::LONGEST_RUNNING,
    fleet::LEDGER_CREATED,
    fleet::LEDGER_COMPLETED,
    fleet::LEDGER_JOBS,
    fleet::QUEUE_CONNECTED,
    fleet::QUEUE_INFO,
    endpoint::BUILD_INFO,
    endpoint::REQUESTS,
    endpoint::REQUESTS_IN_FLIGHT,
    endpoint::ERRORS,
    endpoint::LAST_DURATION,
    process::CPU,
    process::RESIDENT_MEMORY,
    process::OPEN_FDS,
    process::MAX_FDS,
    process::START_TIME,
    process::THREADS,
    process::RUNTIME_WORKERS,
    process::RUNTIME_ALIVE_TASKS,
    process::RUNTIME_QUEUE_DEPTH,
    process::RUNTIME_WORKER_BUSY,
    TARGET_INFO,
];
