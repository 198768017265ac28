//! The page itself.

use super::{
    family::{Family, Kind},
    labels::{REVISION, SCRAPE_CAUSE, SCRAPE_CODE, VERSION},
};

/// The sentinel: a page without it is not served.
pub const BUILD_INFO: Family = Family::new(
    Kind::ObservableGauge,
    "osapi.build_info",
    "osapi_build_info",
    "{build}",
    "What runs here; always 1, and on every page.",
)
.labels(&[REVISION, VERSION]);

/// Answered scrapes.
pub const REQUESTS: Family = Family::new(
    Kind::Counter,
    "osapi.metrics.handler.requests",
    "osapi_metrics_handler_requests_total",
    "{request}",
    "Scrapes that were answered, by status code.",
)
.labels(&[SCRAPE_CODE]);

/// Scrapes in flight.
pub const REQUESTS_IN_FLIGHT: Family = Family::new(
    Kind::UpDownCounter,
    "osapi.metrics.handler.requests_in_flight",
    "osapi_metrics_handler_requests_in_flight",
    "{request}",
    "Scrapes that have not ended; the one that made this page is one of them.",
);

/// Failed scrapes.
pub const ERRORS: Family = Family::new(
    Kind::Counter,
    "osapi.metrics.handler.errors",
    "osapi_metrics_handler_errors_total",
    "{error}",
    "Scrapes that got no page, by cause.",
)
.labels(&[SCRAPE_CAUSE]);

/// Cost.
pub const LAST_DURATION: Family = Family::new(
    Kind::Gauge,
    "osapi.metrics.handler.last_duration",
    "osapi_metrics_handler_last_duration_seconds",
    "s",
    "Time that it took to collect and write the page before this one.",
);
