//! Jobs and executions on the page.

use std::{thread, time::Duration};

use osapi::{
    domain::{ExecutionStatus, JobStatus, OperationKind},
    ports::driven::{MetricsPort, QueueOperation, QueueOutcome, RejectionReason},
};

use super::scene::{metrics, page};

const LOAD: OperationKind = OperationKind::NodeLoadGet;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn closed_families_are_at_zero_from_the_start_and_histograms_are_not_there() {
    let page = page(&metrics());
    let terminal = JobStatus::ALL.into_iter().filter(|status| status.is_terminal());
    for operation in OperationKind::ALL {
        let label = ("operation", operation.name());
        assert_eq!(page.value("osapi_jobs_created_total", &[label]), Some(0.0));
        assert_eq!(page.value("osapi_jobs_active", &[label]), Some(0.0));
        assert_eq!(page.value("osapi_jobs_redelivered_total", &[label]), Some(0.0));
        for status in terminal.clone() {
            let labels = [label, ("status", status.as_str())];
            assert_eq!(page.value("osapi_jobs_completed_total", &labels), Some(0.0), "{labels:?}");
        }
    }
    assert_eq!(page.samples("osapi_jobs_completed_total").count(), OperationKind::ALL.len() * 6);
    for reason in RejectionReason::ALL {
        assert_eq!(page.value("osapi_jobs_rejected_total", &[("reason", reason.as_str())]), Some(0.0));
    }
    assert_eq!(page.value("osapi_queue_reconnects_total", &[]), Some(0.0));
    assert_eq!(page.value("osapi_stale_results_total", &[]), Some(0.0));
    assert_eq!(page.value("osapi_metrics_handler_requests_in_flight", &[]), Some(0.0));
    assert_eq!(page.samples("osapi_metrics_handler_requests_total").count(), 3);
    assert!(page.families.values().all(|family| family.kind != "histogram"), "a histogram is there before its use");
    assert!(page.samples("http_server_request_total").next().is_none());
}

#[test]
fn every_reported_change_is_on_the_page() {
    let metrics = metrics();
    metrics.worker_joined(&"web-1.example".parse().expect("a hostname"));
    metrics.job_created(LOAD);
    metrics.job_created(LOAD);
    metrics.job_completed(LOAD, JobStatus::PartialFailure, SECOND);
    metrics.job_rejected(RejectionReason::QueueFull);
    metrics.execution_claimed(LOAD, SECOND);
    metrics.execution_started(LOAD);
    metrics.execution_finished(LOAD, ExecutionStatus::Failed, SECOND);
    metrics.execution_redelivered(LOAD);
    metrics.queue_reconnected();
    metrics.stale_result();
    metrics.queue_called(QueueOperation::Renew, QueueOutcome::Abandoned, SECOND);

    let page = page(&metrics);
    let operation = ("operation", "node.load.get");
    let failed = ("status", "failed");
    for (name, labels, value) in [
        ("osapi_jobs_created_total", &[operation][..], 2.0),
        ("osapi_jobs_completed_total", &[operation, ("status", "partial_failure")], 1.0),
        ("osapi_job_end_to_end_duration_seconds_count", &[operation], 1.0),
        ("osapi_jobs_rejected_total", &[("reason", "queue_full")], 1.0),
        ("osapi_job_queue_duration_seconds_sum", &[operation], 1.0),
        ("osapi_jobs_active", &[operation], 1.0),
        ("osapi_job_duration_seconds_count", &[operation, failed], 1.0),
        ("osapi_job_duration_seconds_sum", &[operation, failed], 1.0),
        ("osapi_jobs_redelivered_total", &[operation], 1.0),
        ("osapi_queue_reconnects_total", &[], 1.0),
        ("osapi_stale_results_total", &[], 1.0),
        ("osapi_queue_operation_duration_seconds_sum", &[("outcome", "abandoned"), ("queue_operation", "renew")], 1.0),
        ("osapi_worker_jobs_processed_total", &[failed, ("worker", "web-1.example")], 1.0),
        ("osapi_worker_jobs_processed_total", &[("status", "completed"), ("worker", "web-1.example")], 0.0),
    ] {
        assert_eq!(page.value(name, labels), Some(value), "{name} {labels:?}");
    }
    assert!((page.sum("osapi_jobs_rejected_total") - 1.0).abs() < f64::EPSILON, "one refusal has one reason");
}

#[test]
fn what_is_not_an_end_is_not_counted_as_one() {
    let metrics = metrics();
    metrics.worker_joined(&"web-1".parse().expect("a hostname"));
    metrics.execution_finished(LOAD, ExecutionStatus::Queued, SECOND);
    metrics.job_completed(LOAD, JobStatus::Running, SECOND);
    let page = page(&metrics);
    let counted = page.sum("osapi_jobs_completed_total") + page.sum("osapi_worker_jobs_processed_total");
    assert!(counted.abs() < f64::EPSILON, "{counted}");
    assert!(page.families.values().all(|family| family.kind != "histogram"), "nothing ended, nothing took time");
}

#[test]
fn a_job_of_200_ms_has_a_quantile_of_its_size() {
    let metrics = metrics();
    for _ in 0..20 {
        metrics.execution_finished(LOAD, ExecutionStatus::Completed, Duration::from_millis(200));
    }
    let quantile = page(&metrics).quantile(0.95, "osapi_job_duration_seconds");
    assert!((0.1..0.5).contains(&quantile), "{quantile}");
}

#[test]
fn counts_of_many_threads_are_all_there_and_the_gauge_returns_to_zero() {
    let metrics = metrics();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    metrics.execution_started(LOAD);
                    metrics.job_created(LOAD);
                    metrics.execution_claimed(LOAD, SECOND);
                    metrics.execution_stopped(LOAD);
                }
            });
        }
    });
    let page = page(&metrics);
    let operation = [("operation", "node.load.get")];
    assert_eq!(page.value("osapi_jobs_created_total", &operation), Some(20_000.0));
    assert_eq!(page.value("osapi_job_queue_duration_seconds_count", &operation), Some(20_000.0));
    assert_eq!(page.value("osapi_jobs_active", &operation), Some(0.0));
}

#[test]
fn a_worker_takes_its_series_with_it_and_finds_its_count_again() {
    let metrics = metrics();
    let processed = || page(&metrics).sum("osapi_worker_jobs_processed_total");
    let there = || page(&metrics).samples("osapi_worker_jobs_processed_total").count();
    let first = "web-1".parse().expect("a hostname");
    assert_eq!(there(), 0);
    metrics.worker_joined(&first);
    metrics.execution_finished(LOAD, ExecutionStatus::Completed, SECOND);
    assert_eq!((there(), processed()), (5, 1.0));
    metrics.worker_left();
    assert_eq!(there(), 0);
    metrics.worker_joined(&first);
    assert_eq!((there(), processed()), (5, 1.0));
    metrics.worker_joined(&"web-2".parse().expect("a hostname"));
    assert_eq!((there(), processed()), (5, 0.0));
}
