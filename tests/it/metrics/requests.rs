//! Requests on the page.

use std::time::Duration;

use osapi::ports::driven::{AuthError, HttpEnd, HttpMethod, HttpMetrics, Limit, RouteId};

use super::scene::{HEALTH, JOB, JOBS, UNMATCHED, metrics, page};

const TOOK: Duration = Duration::from_millis(20);

fn labels<'a>(method: &'a str, code: &'a str, route: &'a str) -> [(&'a str, &'a str); 3] {
    [("http_request_method", method), ("http_response_status_code", code), ("http_route", route)]
}

#[test]
fn a_request_is_counted_and_timed_with_exactly_its_labels() {
    let metrics = metrics();
    metrics.request_finished(JOBS, HttpMethod::Post, HttpEnd::Answered(201), TOOK, false);
    metrics.request_finished(JOBS, HttpMethod::Post, HttpEnd::Answered(201), TOOK, false);
    let page = page(&metrics);
    let created = labels("POST", "201", "/api/v1/jobs");
    assert_eq!(page.value("http_server_request_total", &created), Some(2.0));
    assert_eq!(page.value("http_server_request_duration_seconds_count", &created), Some(2.0));
    assert_eq!(page.samples("http_server_request_total").count(), 1);
    let median = page.quantile(0.5, "http_server_request_duration_seconds");
    assert!((0.01..=0.025).contains(&median), "{median}");
}

#[test]
fn only_failures_name_the_type_of_their_error() {
    let metrics = metrics();
    for (end, code, error) in [
        (HttpEnd::Answered(200), "200", None),
        (HttpEnd::Answered(404), "404", None),
        (HttpEnd::Answered(408), "408", Some("timeout")),
        (HttpEnd::Answered(503), "503", Some("503")),
        (HttpEnd::Answered(504), "504", Some("timeout")),
        (HttpEnd::Answered(999), "_OTHER", None),
        (HttpEnd::Panicked, "500", Some("panic")),
        (HttpEnd::Disconnected, "499", Some("cancelled")),
    ] {
        metrics.request_finished(JOB, HttpMethod::Get, end, TOOK, false);
        let page = page(&metrics);
        let counted = labels("GET", code, "/api/v1/jobs/{id}");
        let timed: Vec<_> = error.map(|error| ("error_type", error)).into_iter().chain(counted).collect();
        assert_eq!(page.value("http_server_request_total", &counted), Some(1.0), "{end:?}");
        assert_eq!(page.value("http_server_request_duration_seconds_count", &timed), Some(1.0), "{end:?}");
    }
    let page = page(&metrics);
    assert_eq!(page.value("http_server_panics_total", &[("http_route", "/api/v1/jobs/{id}")]), Some(1.0));
    assert!((page.sum("http_server_request_total") - 8.0).abs() < f64::EPSILON);
}

#[test]
fn a_panic_and_an_answered_500_are_one_count() {
    let metrics = metrics();
    metrics.request_finished(JOB, HttpMethod::Get, HttpEnd::Panicked, TOOK, false);
    metrics.request_finished(JOB, HttpMethod::Get, HttpEnd::Answered(500), TOOK, false);
    let counted = labels("GET", "500", "/api/v1/jobs/{id}");
    assert_eq!(page(&metrics).value("http_server_request_total", &counted), Some(2.0));
}

#[test]
fn requests_that_wait_and_probes_stay_out_of_the_latency() {
    let metrics = metrics();
    metrics.request_finished(JOB, HttpMethod::Get, HttpEnd::Answered(200), Duration::from_secs(20), true);
    metrics.request_finished(HEALTH, HttpMethod::Get, HttpEnd::Answered(200), TOOK, false);
    let page = page(&metrics);
    assert_eq!(page.value("http_server_request_total", &labels("GET", "200", "/api/v1/jobs/{id}")), Some(1.0));
    assert_eq!(page.value("http_server_request_total", &labels("GET", "200", "/health")), Some(1.0));
    let route = [("http_route", "/api/v1/jobs/{id}")];
    assert_eq!(page.value("http_server_wait_duration_seconds_sum", &route), Some(20.0));
    assert!(!page.families.contains_key("http_server_request_duration_seconds"));
}

#[test]
fn requests_in_flight_are_counted_by_method() {
    let metrics = metrics();
    metrics.request_started(HttpMethod::Get);
    metrics.request_started(HttpMethod::Get);
    metrics.request_started(HttpMethod::Other);
    metrics.request_stopped(HttpMethod::Get);
    let active = |method| page(&metrics).value("http_server_active_requests", &[("http_request_method", method)]);
    assert_eq!((active("GET"), active("_OTHER"), active("POST")), (Some(1.0), Some(1.0), None));
    metrics.request_stopped(HttpMethod::Get);
    metrics.request_stopped(HttpMethod::Other);
    assert_eq!((active("GET"), active("_OTHER")), (Some(0.0), Some(0.0)));
}

#[test]
fn unmatched_paths_and_positions_beyond_the_table_are_one_route() {
    let metrics = metrics();
    for route in [UNMATCHED, RouteId(4), RouteId(u16::MAX)] {
        metrics.request_finished(route, HttpMethod::Other, HttpEnd::Answered(404), TOOK, false);
    }
    let counted = labels("_OTHER", "404", "unmatched");
    assert_eq!(page(&metrics).value("http_server_request_total", &counted), Some(3.0));
}

#[test]
fn applied_limits_are_counted_by_limit_and_are_there_at_0() {
    let metrics = metrics();
    let counted = |limit: Limit| page(&metrics).value("osapi_limits_refused_total", &[("limit", limit.as_str())]);
    assert_eq!(Limit::ALL.map(counted), Limit::ALL.map(|_| Some(0.0)));
    metrics.limit_reached(Limit::Waits);
    metrics.limit_reached(Limit::Waits);
    assert_eq!((counted(Limit::Waits), counted(Limit::WaitsPerSubject)), (Some(2.0), Some(0.0)));
}

#[test]
fn refused_tokens_are_counted_by_reason() {
    let metrics = metrics();
    for reason in AuthError::ALL {
        metrics.auth_rejected(reason);
    }
    metrics.auth_rejected(AuthError::Scope);
    let page = page(&metrics);
    for reason in AuthError::ALL {
        let expected = if reason == AuthError::Scope { 2.0 } else { 1.0 };
        assert_eq!(page.value("osapi_auth_rejections_total", &[("reason", reason.as_str())]), Some(expected));
    }
}
