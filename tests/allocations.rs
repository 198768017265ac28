//! Recording allocates nothing once a series is there. A target of its own, because it needs its own allocator.

#![expect(unsafe_code, reason = "an allocator that counts is an unsafe impl; it hands everything to the system's")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
    time::Duration,
};

use osapi::{
    adapters::metrics::{NoopMetrics, OtelConfig, OtelMetrics},
    domain::{ExecutionStatus, JobStatus, OperationKind},
    ports::driven::{
        AuthError, Durability, HttpEnd, HttpMethod, HttpMetrics, Limit, MetricsExposition, MetricsPort, QueueInfo,
        QueueOperation, QueueOutcome, RejectionReason, Route, RouteId, ScrapeEnd,
    },
};

thread_local! {
    /// Allocations of this thread; other threads of the test runner do not matter.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local integer only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn otel() -> Arc<OtelMetrics> {
    let route = |template: &str| Route { template: template.to_owned(), timed: true };
    OtelMetrics::new(&OtelConfig {
        routes: vec![route("/api/v1/jobs/{id}"), route("unmatched")],
        queue: QueueInfo { backend: "embedded", durability: Durability::PowerLoss },
        version: "1".to_owned(),
        revision: "a".to_owned(),
        service_name: None,
        resource_attributes: None,
        log_records_dropped: Arc::default(),
        runtime: None,
    })
    .expect("the catalogue is valid")
}

const TOOK: Duration = Duration::from_millis(3);

/// Every event that a job causes, for every operation.
fn job_events(metrics: &dyn MetricsPort) {
    for operation in OperationKind::ALL {
        metrics.job_created(operation);
        metrics.execution_claimed(operation, TOOK);
        metrics.execution_started(operation);
        metrics.execution_stopped(operation);
        metrics.execution_finished(operation, ExecutionStatus::Failed, TOOK);
        metrics.execution_redelivered(operation);
        metrics.job_completed(operation, JobStatus::Failed, TOOK);
    }
    metrics.job_rejected(RejectionReason::Invalid);
    metrics.queue_reconnected();
    metrics.stale_result();
    metrics.queue_called(QueueOperation::Submit, QueueOutcome::Answered, TOOK);
}

fn request_events(metrics: &OtelMetrics) {
    for method in HttpMethod::ALL {
        metrics.request_started(method);
        for end in [HttpEnd::Answered(200), HttpEnd::Answered(503), HttpEnd::Disconnected, HttpEnd::Panicked] {
            metrics.request_finished(RouteId(0), method, end, TOOK, false);
            metrics.request_finished(RouteId(1), method, end, TOOK, true);
        }
        metrics.request_stopped(method);
    }
    metrics.auth_rejected(AuthError::Expired);
    metrics.limit_reached(Limit::Connections);
    metrics.scrape_started();
    metrics.scrape_answered(ScrapeEnd::Served);
    metrics.scrape_stopped();
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(Box::new(7_u64))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_job_event_allocates_nothing_after_the_first_of_its_kind() {
    let metrics = otel();
    assert!(allocations(|| job_events(&*metrics)) > 0, "histograms are bound at first use");
    assert_eq!(allocations(|| job_events(&*metrics)), 0);
}

#[test]
fn a_request_allocates_nothing_after_the_first_of_its_kind() {
    let metrics = otel();
    assert!(allocations(|| request_events(&metrics)) > 0, "series are bound at first use");
    assert_eq!(allocations(|| request_events(&metrics)), 0);
}

#[test]
fn metrics_that_are_off_allocate_nothing() {
    assert_eq!(allocations(|| job_events(&NoopMetrics)), 0);
}
