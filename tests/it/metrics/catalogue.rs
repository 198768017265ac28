//! The catalogue against a page on which everything is.

use std::{collections::BTreeSet, time::Duration};

use osapi::{
    adapters::metrics::{OtelMetrics, catalogue::families},
    domain::{ExecutionStatus, JobStatus, OperationKind},
    ports::driven::{
        HttpEnd, HttpMethod, HttpMetrics, MetricsExposition, MetricsPort, QueueOperation, QueueOutcome, ScrapeEnd,
    },
};

use super::scene::{JOB, JOBS, config, page_with, snapshot};
use crate::exposition::Page;

/// A page with every family of the catalogue.
fn full_page() -> Page {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let mut config = config();
    config.runtime = Some(runtime.handle().clone());
    let metrics = OtelMetrics::new(&config).expect("valid");
    let second = Duration::from_secs(1);
    let operation = OperationKind::NodeOsGet;
    metrics.worker_joined(&"web-1".parse().expect("a hostname"));
    metrics.job_created(operation);
    metrics.execution_claimed(operation, second);
    metrics.execution_finished(operation, ExecutionStatus::Completed, second);
    metrics.job_completed(operation, JobStatus::Completed, second);
    metrics.request_started(HttpMethod::Get);
    metrics.request_finished(JOBS, HttpMethod::Get, HttpEnd::Panicked, second, false);
    metrics.request_finished(JOB, HttpMethod::Get, HttpEnd::Answered(200), second, true);
    metrics.queue_called(QueueOperation::Submit, QueueOutcome::Answered, second);
    metrics.scrape_started();
    metrics.scrape_answered(ScrapeEnd::TimedOut);
    metrics.render(snapshot(&[])).expect("a page");
    page_with(&metrics, snapshot(&["web-1"]))
}

#[test]
fn the_page_and_the_catalogue_say_the_same() {
    let page = full_page();
    let there: BTreeSet<&str> = page.families.keys().map(String::as_str).collect();
    let catalogued: BTreeSet<&str> = families().map(|family| family.name).collect();
    assert_eq!(there, catalogued);
    assert_eq!(catalogued.len(), families().count(), "a name is there twice");
    for family in families() {
        let live = &page.families[family.name];
        assert_eq!(live.kind, family.kind.exported(), "{}", family.name);
        assert_eq!(live.help, family.help, "{}", family.name);
        if family.name == "target_info" {
            continue;
        }
        let names = live.samples.iter().flat_map(|sample| sample.labels.keys()).map(String::as_str);
        let names: BTreeSet<&str> = names.filter(|name| *name != "le").collect();
        let documented: BTreeSet<&str> = family.labels.iter().map(|label| label.name).collect();
        assert_eq!(names, documented, "{}", family.name);
        let bounds: BTreeSet<&str> =
            live.samples.iter().filter_map(|sample| sample.labels.get("le")).map(String::as_str).collect();
        assert_eq!(
            bounds.len(),
            if family.buckets.is_empty() { 0 } else { family.buckets.len() + 1 },
            "{}",
            family.name
        );
    }
}

#[test]
fn the_nine_families_that_were_asked_for_have_their_names_and_labels() {
    let request: &[&str] = &["http_request_method", "http_response_status_code", "http_route"];
    let timed: &[&str] = &["error_type", "http_request_method", "http_response_status_code", "http_route"];
    for (name, kind, labels) in [
        ("http_server_request_duration_seconds", "histogram", timed),
        ("http_server_request_total", "counter", request),
        ("http_server_active_requests", "gauge", &["http_request_method"]),
        ("osapi_jobs_created_total", "counter", &["operation"]),
        ("osapi_jobs_completed_total", "counter", &["operation", "status"]),
        ("osapi_job_duration_seconds", "histogram", &["operation", "status"]),
        ("osapi_jobs_active", "gauge", &["operation"]),
        ("osapi_workers_connected", "gauge", &[]),
        ("osapi_worker_jobs_processed_total", "counter", &["status", "worker"]),
    ] {
        let family = families().find(|family| family.name == name).expect(name);
        assert_eq!(family.kind.exported(), kind, "{name}");
        assert_eq!(family.labels.iter().map(|label| label.name).collect::<Vec<_>>(), labels, "{name}");
    }
}

#[test]
fn nothing_that_is_documented_overflows() {
    assert_eq!(full_page().overflowed(), Vec::<&str>::new());
    for family in families() {
        assert!(family.labels.is_sorted_by_key(|label| label.name), "{}: labels are recorded by name", family.name);
        assert!(family.buckets.is_sorted(), "{}", family.name);
        assert_eq!(family.same_everywhere, family.help.contains("use max()"), "{}", family.name);
        let own_words = family.help.ends_with('.') || family.name == "target_info";
        assert!(own_words, "{}: help is a sentence", family.name);
    }
}
