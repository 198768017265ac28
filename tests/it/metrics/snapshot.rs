//! The fleet on the page.

use osapi::{domain::JobStatus, ports::driven::FleetSnapshot};

use super::scene::{metrics, page, page_with, snapshot, worker};

#[test]
fn everything_that_the_snapshot_says_is_on_the_page() {
    let page = page_with(&metrics(), snapshot(&["web-1", "web-2"]));
    let web = [("worker", "web-2")];
    for (name, labels, value) in [
        ("osapi_workers_connected", &[][..], 2.0),
        ("osapi_worker_slots", &web, 10.0),
        ("osapi_worker_slots_used", &web, 4.0),
        ("osapi_worker_last_heartbeat_timestamp_seconds", &web, 1_700_000_000.0),
        ("osapi_health_component_up", &[("component", "queue")], 1.0),
        ("osapi_health_component_up", &[("component", "workers")], 0.0),
        ("osapi_queue_depth", &[], 5.0),
        ("osapi_queue_oldest_job_age_seconds", &[], 30.0),
        ("osapi_job_longest_running_seconds", &[], 10.0),
        ("osapi_queue_connected", &[], 1.0),
        ("osapi_queue_info", &[("backend", "embedded"), ("durability", "power_loss")], 1.0),
        ("osapi_ledger_jobs_created_total", &[], 7.0),
        ("osapi_ledger_jobs_completed_total", &[("status", "failed")], 2.0),
        ("osapi_ledger_jobs_completed_total", &[("status", "lost")], 0.0),
        ("osapi_ledger_jobs", &[("status", "queued")], 3.0),
        ("osapi_ledger_jobs", &[("status", "failed")], 1.0),
        ("osapi_build_info", &[("revision", "abc1234"), ("version", "1.2.3")], 1.0),
    ] {
        assert_eq!(page.value(name, labels), Some(value), "{name} {labels:?}");
    }
    assert_eq!(page.samples("osapi_ledger_jobs").count(), JobStatus::ALL.len());
    assert_eq!(page.samples("osapi_ledger_jobs_completed_total").count(), 6, "terminal statuses only");
    let open = page.value("osapi_ledger_jobs", &[("status", "queued")]).unwrap_or_default()
        + page.value("osapi_ledger_jobs", &[("status", "running")]).unwrap_or_default();
    let ended = page.sum("osapi_ledger_jobs_completed_total");
    assert!((page.sum("osapi_ledger_jobs_created_total") - ended - open).abs() < f64::EPSILON, "the ledger balances");
}

#[test]
fn what_could_not_be_had_is_absent_and_neither_stale_nor_zero() {
    let metrics = metrics();
    page_with(&metrics, snapshot(&["web-1"]));
    let page = page(&metrics);
    let left: Vec<&String> = page
        .families
        .keys()
        .filter(|name| {
            let fleet = ["osapi_queue_", "osapi_ledger_", "osapi_worker", "osapi_health_", "osapi_job_longest"];
            fleet.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    let own =
        ["osapi_queue_connected", "osapi_queue_copy_lag_records", "osapi_queue_info", "osapi_queue_reconnects_total"];
    assert_eq!(left, own, "what this process says of itself is left");
    assert_eq!(page.value("osapi_queue_connected", &[]), Some(0.0));

    let only_workers = FleetSnapshot { queue_connected: false, queue: None, ..snapshot(&[]) };
    assert_eq!(page_with(&metrics, only_workers).value("osapi_workers_connected", &[]), Some(0.0));
}

#[test]
fn a_worker_that_left_the_fleet_is_gone_from_the_next_page() {
    let metrics = metrics();
    let workers = |names: &[&str]| {
        let page = page_with(&metrics, snapshot(names));
        page.samples("osapi_worker_slots").map(|sample| sample.labels["worker"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(workers(&["a", "b"]), ["a", "b"]);
    assert_eq!(workers(&["b"]), ["b"]);
    assert_eq!(workers(&[]), Vec::<String>::new());
}

#[test]
fn ten_thousand_worker_names_leave_no_more_series_than_are_there_now() {
    let metrics = metrics();
    let fleet = |from: usize, count: usize| FleetSnapshot {
        workers: Some((from..from + count).map(|number| worker(&format!("w{number}"))).collect()),
        ..FleetSnapshot::default()
    };
    let before = page_with(&metrics, fleet(0, 10)).len();
    for round in 0..100 {
        let page = page_with(&metrics, fleet(round * 100, 100));
        assert_eq!(page.samples("osapi_worker_slots").count(), 100, "round {round}");
        assert!(page.overflowed().is_empty());
    }
    assert_eq!(page_with(&metrics, fleet(0, 10)).len(), before + 1, "only the duration of the last page was added");

    let crowd = page_with(&metrics, fleet(0, 10_500));
    assert_eq!(crowd.samples("osapi_worker_slots").count(), 10_001);
    let overflowed = crowd.overflowed();
    assert!(overflowed.contains(&"osapi_worker_slots") && overflowed.len() == 4, "{overflowed:?}");
}
