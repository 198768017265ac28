//! The whole catalogue.

use super::{
    endpoint,
    family::{Family, Kind},
    fleet, http, job, process,
};

/// What the process says about itself to whoever joins series from many: written by the exporter.
pub const TARGET_INFO: Family = Family::new(Kind::Info, "target_info", "target_info", "", "Target metadata");

/// Families that belong together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// The families, in the order of the documentation.
    pub families: &'static [Family],
}

/// Every family that can be on the page, by subject.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Requests",
        families: &[
            http::REQUEST_DURATION,
            http::REQUESTS,
            http::ACTIVE_REQUESTS,
            http::WAIT_DURATION,
            http::PANICS,
            http::AUTH_REJECTIONS,
            http::LIMITS_REFUSED,
        ],
    },
    Group {
        title: "Jobs and executions",
        families: &[
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
        ],
    },
    Group {
        title: "The fleet",
        families: &[
            fleet::WORKERS_CONNECTED,
            fleet::WORKER_SLOTS,
            fleet::WORKER_SLOTS_USED,
            fleet::WORKER_LAST_HEARTBEAT,
            fleet::WORKER_CLOCK_OFFSET,
            fleet::COMPONENT_UP,
        ],
    },
    Group {
        title: "The queue and its ledger",
        families: &[
            fleet::QUEUE_DEPTH,
            fleet::QUEUE_OLDEST_AGE,
            fleet::QUEUE_ABSENT_HOSTS,
            fleet::LONGEST_RUNNING,
            fleet::LEDGER_CREATED,
            fleet::LEDGER_COMPLETED,
            fleet::LEDGER_JOBS,
            job::QUEUE_OPERATION_DURATION,
            job::QUEUE_RECONNECTS,
            job::QUEUE_COPY_LAG,
            job::TASK_PANICS,
            fleet::QUEUE_CONNECTED,
            fleet::QUEUE_INFO,
        ],
    },
    Group {
        title: "The page itself",
        families: &[
            endpoint::BUILD_INFO,
            TARGET_INFO,
            endpoint::REQUESTS,
            endpoint::REQUESTS_IN_FLIGHT,
            endpoint::ERRORS,
            endpoint::LAST_DURATION,
        ],
    },
    Group {
        title: "The process and its runtime",
        families: &[
            process::CPU,
            process::RESIDENT_MEMORY,
            process::OPEN_FDS,
            process::MAX_FDS,
            process::START_TIME,
            process::THREADS,
            process::LOG_RECORDS_DROPPED,
            process::RUNTIME_WORKERS,
            process::RUNTIME_ALIVE_TASKS,
            process::RUNTIME_QUEUE_DEPTH,
            process::RUNTIME_WORKER_BUSY,
        ],
    },
];

/// Every family that can be on the page.
pub fn families() -> impl Iterator<Item = &'static Family> {
    GROUPS.iter().flat_map(|group| group.families)
}
