//! The labels. Their values are closed sets, names of this fleet's own workers, or what the program says about itself:
//! never the words of a client.

use super::family::Label;
use crate::{
    domain::{ExecutionStatus, JobStatus, OperationKind},
    ports::driven::{AuthError, HttpMethod, Limit, QueueOperation, QueueOutcome, RejectionReason, ScrapeEnd},
};

/// The largest fleet whose workers all have series of their own.
const WORKERS: usize = 10_000;
/// The most threads of the runtime that have series of their own.
const THREADS: usize = 1_024;
/// Components of readiness.
const COMPONENTS: usize = 16;

const fn label(name: &'static str, values: &'static str, at_most: usize) -> Label {
    Label { name, values, at_most }
}

pub(super) const OPERATION: Label =
    label("operation", "the type of an operation, e.g. `node.load.get`", OperationKind::ALL.len());
pub(super) const JOB_STATUS: Label = label("status", "every status of a job", JobStatus::ALL.len());
pub(super) const TERMINAL_JOB_STATUS: Label = label("status", "every terminal status of a job", JobStatus::ALL.len());
pub(super) const TERMINAL_EXECUTION_STATUS: Label =
    label("status", "every terminal status of an execution", ExecutionStatus::ALL.len());
pub(super) const WORKER: Label = label("worker", "the hostname of a worker", WORKERS);
pub(super) const OWN_WORKER: Label = label("worker", "the hostname of the worker of this process", 1);
pub(super) const QUEUE_OPERATION: Label = label(
    "queue_operation",
    "`check`, `submit`, `replay`, `job`, `jobs`, `stats`, `cancel`, `delete`, `renew`, `finish`",
    QueueOperation::ALL.len(),
);
pub(super) const QUEUE_OUTCOME: Label =
    label("outcome", "`answered`, `refused`, `failed`, `abandoned`", QueueOutcome::ALL.len());
pub(super) const COMPONENT: Label =
    label("component", "`queue`, `workers`, `metrics`: whether the page before this one could be made", COMPONENTS);
pub(super) const REJECTION: Label = label(
    "reason",
    "`invalid`, `target`, `scope`, `key_reused`, `queue_full`, `queue_failed`",
    RejectionReason::ALL.len(),
);
pub(super) const AUTH_REJECTION: Label = label(
    "reason",
    "`missing`, `malformed`, `signature`, `expired`, `not_yet_valid`, `wrong_issuer`, `scope`",
    AuthError::ALL.len(),
);
pub(super) const LIMIT: Label = label(
    "limit",
    "a key of `api.server.limits`: `connections`, `head_time`, `answer_time`, `waits`, `waits_per_subject`",
    Limit::ALL.len(),
);
pub(super) const BACKEND: Label = label("backend", "`embedded`, `nats`", 1);
pub(super) const DURABILITY: Label = label("durability", "`power_loss`, `process_crash`", 1);
pub(super) const VERSION: Label = label("version", "the version of the program", 1);
pub(super) const REVISION: Label = label("revision", "the commit that it was built from", 1);
pub(super) const WORKER_INDEX: Label = label("worker_index", "a thread of the runtime, from 0", THREADS);
pub(super) const SCRAPE_CODE: Label = label("code", "`200`, `500`, `503`", ScrapeEnd::ALL.len());
pub(super) const SCRAPE_CAUSE: Label = label("cause", "`collection`, `timeout`", ScrapeEnd::ALL.len());

pub(super) const METHOD: Label = label(
    "http_request_method",
    "a method of RFC 9110 or RFC 5789; `_OTHER` for any other word",
    HttpMethod::ALL.len(),
);
pub(super) const ROUTE: Label =
    label("http_route", "the template of a route, e.g. `/api/v1/jobs/{id}`; one constant for all other paths", 1);
pub(super) const STATUS_CODE: Label = label(
    "http_response_status_code",
    "the status code; `499` when the client left before the answer, `_OTHER` when it is not one",
    1,
);
pub(super) const ERROR_TYPE: Label = label(
    "error_type",
    "only on failures: the status code of a 5xx answer, `panic`, `timeout` (408 and 504), `cancelled` (the client left)",
    1,
);
