//! The metrics page of a running server.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
};

use osapi::adapters::metrics::catalogue::families;
use serde_json::json;

use super::Home;
use crate::revision::named_by_the_program;

/// The names that operators were promised.
const SEEDS: [&str; 9] = [
    "http_server_request_duration_seconds",
    "http_server_request_total",
    "http_server_active_requests",
    "osapi_jobs_created_total",
    "osapi_jobs_completed_total",
    "osapi_job_duration_seconds",
    "osapi_jobs_active",
    "osapi_workers_connected",
    "osapi_worker_jobs_processed_total",
];

#[test]
fn every_promised_name_is_on_the_page_and_every_family_is_in_the_catalogue() {
    let home = Home::new();
    let (_server, client) = home.serve();
    client.submit(&json!({ "type": "node.load.get" }), "_any", &[("prefer", "wait=30")]);
    client.stats();
    let page = client.metrics();
    for name in SEEDS {
        assert!(page.families.contains_key(name), "{name} is missing");
    }
    for name in page.families.keys() {
        assert!(families().any(|family| family.name == name), "{name} is not in the catalogue");
    }
    assert_eq!(page.value("osapi_workers_connected", &[]), Some(1.0));
    assert_eq!(page.sum("osapi_jobs_active"), 0.0);
    // The request of this page itself is in flight.
    assert_eq!(page.sum("http_server_active_requests"), 1.0);
}

#[test]
fn promtool_finds_nothing_wrong() {
    let home = Home::new();
    let (_server, client) = home.serve();
    client.submit(&json!({ "type": "node.load.get" }), "_any", &[("prefer", "wait=30")]);
    client.get("/nothing");
    let page = client.get("/metrics").body;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is on the path; `make test` installs it");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_hundred_scrapes_at_once_are_all_whole_and_agree_with_the_store() {
    let home = Home::new();
    let (_server, client) = home.serve();
    for _ in 0..10 {
        client.submit(&json!({ "type": "node.load.get" }), "_any", &[("prefer", "wait=30")]);
    }
    let pages: Vec<_> = thread::scope(|scope| {
        let scrapes: Vec<_> = (0..100).map(|_| scope.spawn(|| client.metrics())).collect();
        scrapes.into_iter().map(|scrape| scrape.join().unwrap()).collect()
    });
    let revision = named_by_the_program();
    for page in pages {
        assert_eq!(page.value("osapi_ledger_jobs_created_total", &[]), Some(10.0));
        assert_eq!(page.sum("osapi_jobs_completed_total"), 10.0);
        assert_eq!(page.value("osapi_build_info", &[("revision", revision.as_str()), ("version", "0.1.0")]), Some(1.0));
    }
}

#[test]
fn scrapes_and_figures_agree_and_balance_while_jobs_run() {
    let home = Home::new();
    let (_server, client) = home.serve();
    thread::scope(|scope| {
        let workload: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..50 {
                        client.submit(&json!({ "type": "node.uptime.get" }), "_any", &[]);
                    }
                })
            })
            .collect();
        let mut before = 0.0;
        while !workload.iter().all(thread::ScopedJoinHandle::is_finished) {
            let page = client.metrics();
            let created = page.value("osapi_ledger_jobs_created_total", &[]).unwrap();
            let open: f64 = ["queued", "running"]
                .map(|status| page.value("osapi_ledger_jobs", &[("status", status)]).unwrap())
                .iter()
                .sum();
            assert_eq!(created, page.sum("osapi_ledger_jobs_completed_total") + open);
            assert!(created >= before);
            before = created;
        }
    });
    let stats = client.stats_until(|stats| stats["by_status"]["completed"] == 200);
    let page = client.metrics();
    assert_eq!(page.value("osapi_ledger_jobs_created_total", &[]), stats["ledger"]["created"].as_f64());
    assert_eq!(page.sum("osapi_jobs_created_total"), 200.0);
    assert_eq!(page.sum("osapi_jobs_completed_total"), 200.0);
    assert_eq!(page.sum("osapi_job_duration_seconds_count"), 200.0);
    assert_eq!(page.sum("osapi_jobs_active"), 0.0);
}
