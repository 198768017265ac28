//! What metrics cost: per event, and per page.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    fs,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use osapi::{
    adapters::metrics::{NoopMetrics, OtelConfig, OtelMetrics},
    domain::{InstanceId, Labels, OperationKind, QueueStats, Worker, WorkerState},
    ports::driven::{
        Durability, FleetSnapshot, HttpEnd, HttpMethod, HttpMetrics, MetricsExposition, MetricsPort, QueueInfo, Route,
        RouteId,
    },
};
use uuid::Uuid;

const EVENTS: u32 = 5_000_000;
const PAGES: u32 = 40;
/// Series of a connected worker.
const SERIES_PER_WORKER: usize = 3;

fn otel() -> Arc<OtelMetrics> {
    let route = |template: &str| Route { template: template.to_owned(), timed: true };
    OtelMetrics::new(&OtelConfig {
        routes: (0..40).map(|number| route(&format!("/api/v1/jobs/{{id}}/{number}"))).collect(),
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

/// The best of five runs, in nanoseconds per event.
fn per_event(name: &str, mut event: impl FnMut()) {
    let best = (0..5)
        .map(|_| {
            let started = Instant::now();
            (0..EVENTS).for_each(|_| event());
            started.elapsed()
        })
        .min()
        .expect("five runs");
    println!("{name:<44} {:>8.2} ns", best.as_secs_f64() * 1e9 / f64::from(EVENTS));
}

fn events() {
    let operation = OperationKind::NodeLoadGet;
    let took = Duration::from_millis(3);
    let off: Arc<dyn MetricsPort> = black_box(Arc::new(NoopMetrics));
    per_event("off: counter through the port", || off.job_created(black_box(operation)));
    per_event("off: histogram through the port", || off.execution_claimed(black_box(operation), black_box(took)));
    let metrics = otel();
    let on: Arc<dyn MetricsPort> = black_box(Arc::clone(&metrics) as _);
    per_event("on: counter through the port", || on.job_created(black_box(operation)));
    per_event("on: histogram through the port", || on.execution_claimed(black_box(operation), black_box(took)));
    let http: Arc<dyn HttpMetrics> = black_box(metrics);
    per_event("on: request in flight, up and down", || {
        http.request_started(black_box(HttpMethod::Get));
        http.request_stopped(black_box(HttpMethod::Get));
    });
    per_event("on: request finished, counter and histogram", || {
        http.request_finished(RouteId(0), black_box(HttpMethod::Get), HttpEnd::Answered(200), black_box(took), false);
    });
    per_event("Instant::now", || {
        black_box(Instant::now());
    });
}

fn worker(number: usize) -> Worker {
    Worker {
        hostname: format!("worker-{number}.example").parse().expect("a hostname"),
        instance: InstanceId(Uuid::nil()),
        labels: Labels::default(),
        state: WorkerState::Ready,
        slots: 10,
        slots_used: 3,
        version: "1".to_owned(),
        commands_enabled: false,
        started_at: Timestamp::UNIX_EPOCH,
        last_heartbeat_at: Timestamp::UNIX_EPOCH,
        clock_offset: jiff::SignedDuration::ZERO,
    }
}

fn pages(series: usize) {
    let metrics = otel();
    let snapshot = FleetSnapshot {
        queue_connected: true,
        queue: Some(QueueStats::default()),
        workers: Some((0..series / SERIES_PER_WORKER).map(worker).collect()),
        components: vec![("queue", true), ("workers", true)],
    };
    let mut times: Vec<Duration> = (0..PAGES)
        .map(|_| {
            let snapshot = snapshot.clone();
            let started = Instant::now();
            black_box(metrics.render(snapshot)).expect("a page");
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let page = metrics.render(snapshot).expect("a page");
    let lines = page.lines().filter(|line| !line.starts_with('#')).count();
    println!(
        "page of {lines} series, {} KiB: median {:.2?}, worst {:.2?}",
        page.len() / 1024,
        times[times.len() / 2],
        times[times.len() - 1]
    );
}

/// How long a recorded request takes while pages of 10,000 series are made without a pause.
fn disturbance() {
    let metrics = otel();
    let workers = (0..10_000 / SERIES_PER_WORKER).map(worker).collect();
    let snapshot = FleetSnapshot { workers: Some(workers), ..FleetSnapshot::default() };
    let (stop, pages) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                black_box(metrics.render(snapshot.clone())).expect("a page");
                pages.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut times: Vec<Duration> = (0..2_000_000)
            .map(|_| {
                let started = Instant::now();
                metrics.request_started(HttpMethod::Get);
                let (route, end) = (RouteId(0), HttpEnd::Answered(200));
                metrics.request_finished(route, HttpMethod::Get, end, Duration::from_millis(3), false);
                metrics.request_stopped(HttpMethod::Get);
                started.elapsed()
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        times.sort_unstable();
        let at = |share: usize| times[times.len() / 10_000 * share];
        println!(
            "a request's events beside {} pages: p50 {:.2?}, p99 {:.2?}, p99.99 {:.2?}",
            pages.load(Ordering::Relaxed),
            at(5_000),
            at(9_900),
            at(9_999),
        );
    });
}

/// Resident memory in KiB, by proc(5); pages are of 4 KiB where this is run.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("proc is mounted");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4
}

fn start() {
    let before = resident();
    let started = Instant::now();
    let metrics = otel();
    println!("building all instruments: {:.2?}, {} KiB", started.elapsed(), resident() - before);
    drop(metrics);
}

fn main() {
    start();
    events();
    disturbance();
    pages(1_000);
    pages(10_000);
}
