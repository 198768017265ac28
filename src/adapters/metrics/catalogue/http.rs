//! Requests to the API.

use super::{
    family::{Family, Kind},
    labels::{AUTH_REJECTION, ERROR_TYPE, LIMIT, METHOD, ROUTE, STATUS_CODE},
};

/// Every combination of method and status code that one route can answer with, with room: its own methods with some
/// twenty codes each, and 405 for all others.
const SERIES_PER_ROUTE: usize = 96;

/// Latency.
pub const REQUEST_DURATION: Family = Family::new(
    Kind::Histogram,
    "http.server.request.duration",
    "http_server_request_duration_seconds",
    "s",
    "Time from the arrival of a request to its answer. Health probes, scrapes and requests that asked to wait are left \
     out.",
)
.labels(&[ERROR_TYPE, METHOD, STATUS_CODE, ROUTE])
.buckets(&[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0])
.per_route(SERIES_PER_ROUTE);

/// Requests by method and status.
pub const REQUESTS: Family = Family::new(
    Kind::Counter,
    "http.server.request",
    "http_server_request_total",
    "{request}",
    "Requests that ended, by method, route and status code.",
)
.labels(&[METHOD, STATUS_CODE, ROUTE])
.per_route(SERIES_PER_ROUTE);

/// Requests in flight.
pub const ACTIVE_REQUESTS: Family = Family::new(
    Kind::UpDownCounter,
    "http.server.active_requests",
    "http_server_active_requests",
    "{request}",
    "Requests that arrived and have not ended.",
)
.labels(&[METHOD]);

/// Requests that asked to wait for a job.
pub const WAIT_DURATION: Family = Family::new(
    Kind::Histogram,
    "http.server.wait.duration",
    "http_server_wait_duration_seconds",
    "s",
    "Time from the arrival to the answer of requests that asked to wait for a job.",
)
.labels(&[ROUTE])
.buckets(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0])
.per_route(1);

/// Bugs.
pub const PANICS: Family = Family::new(
    Kind::Counter,
    "http.server.panics",
    "http_server_panics_total",
    "{panic}",
    "Requests whose handler panicked; they were answered with 500.",
)
.labels(&[ROUTE])
.per_route(1);

/// Attacks and broken tokens.
pub const AUTH_REJECTIONS: Family = Family::new(
    Kind::Counter,
    "osapi.auth.rejections",
    "osapi_auth_rejections_total",
    "{request}",
    "Requests that were refused for their token.",
)
.labels(&[AUTH_REJECTION]);

/// Clients that ask for too much.
pub const LIMITS_REFUSED: Family = Family::new(
    Kind::Counter,
    "osapi.limits.refused",
    "osapi_limits_refused_total",
    "{refusal}",
    "Times that a limit was applied: a connection was closed to make room for a new client or because its client sent \
     no request or did not read its answer, or a request that asked to wait was answered at once.",
)
.labels(&[LIMIT]);
