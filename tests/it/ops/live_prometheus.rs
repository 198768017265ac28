//! A real Prometheus with the shipped rules scrapes the running program, and answers what dashboard and runbook ask.

use std::collections::BTreeSet;

use osapi::adapters::metrics::catalogue::{Family, Kind, families};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    dashboard::Dashboard,
    pages::{PAGES, Page},
    prometheus::Prometheus,
    rules::{alerts, recording_rules},
};
use crate::server::{Client, Home, Running, reads};

/// Jobs that the workload makes.
const JOBS: f64 = 8.0;

/// What a healthy server has nothing to say about.
const FAMILIES_WITHOUT_SAMPLES: [(&str, &str); 1] = [("http_server_panics_total", "no handler panics")];
const SERIES_OF_LONGER_TIMES: [(&str, &str); 4] = [
    ("job:osapi_ledger_jobs_completed:delta15m", "needs 15 minutes"),
    ("job:osapi_jobs_created_drift:delta1h", "needs an hour"),
    ("job:osapi_jobs_completed_drift:delta1h", "needs an hour"),
    ("job:osapi_processes_changed:count1h", "needs an hour, and then a process that changed"),
];
const PANELS_WITHOUT_DATA: [(&str, &str); 5] = [
    ("5xx by route", "no request fails"),
    ("Failures by kind", "no request fails"),
    ("Panics", "no handler panics"),
    ("Drift from the ledger", "needs an hour"),
    ("Overflowed families", "no family overflows"),
];

/// A machine that runs many tests may be too busy for a page within half a second.
const BUSY: &str = "OsapiMetricsEndpointErrors";

/// A server that has done some of everything, and a Prometheus that scrapes it.
struct Scene {
    server: Running,
    prometheus: Prometheus,
    /// The server refuses to write when its directory is gone.
    _home: Home,
}

impl Scene {
    fn new() -> Self {
        let home = Home::new();
        let (server, client) = home.serve();
        let prometheus = Prometheus::scraping(server.url());
        workload(&client);
        Self { server, prometheus, _home: home }
    }
}

/// Jobs of every kind, one of them cancelled, and requests that are refused.
fn workload(client: &Client) {
    for name in reads() {
        client.submit(&json!({ "type": name }), "_any", &[("prefer", "wait=30")]);
    }
    client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    let waiting = client.submit(&json!({ "type": "node.load.get" }), "_any", &[]);
    client.post(&format!("/api/v1/jobs/{}/cancel", waiting["id"].as_str().unwrap()), &json!({})).expect(200);
    client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    client.get("/api/v1/jobs").expect(200);
    client.get("/nothing").problem(404);
    client.with_token(None).get("/api/v1/jobs").problem(401);
    let nowhere = json!({ "operation": { "type": "node.load.get" }, "target": "web-2" });
    client.post("/api/v1/jobs", &nowhere).problem(422);
}

fn names<'a>(reasons: &[(&'a str, &str)]) -> BTreeSet<&'a str> {
    reasons.iter().map(|(name, _)| *name).collect()
}

/// A series that every sample of a family comes with.
fn series_of(family: &Family) -> String {
    if family.kind == Kind::Histogram { format!("{}_count", family.name) } else { family.name.to_owned() }
}

fn is_silent(prometheus: &Prometheus, expr: &str) -> bool {
    prometheus.query(expr).unwrap_or_else(|error| panic!("{expr}: {error}")).is_empty()
}

#[test]
fn prometheus_sees_every_family_and_what_happened() {
    let scene = Scene::new();
    let silent = names(&FAMILIES_WITHOUT_SAMPLES);
    let expected: Vec<String> = families().filter(|family| !silent.contains(family.name)).map(series_of).collect();
    scene.prometheus.until_nothing_is_missing(|prometheus| {
        let missing = expected.iter().filter(|series| is_silent(prometheus, series)).cloned();
        missing.chain((prometheus.value("up") != Some(1.0)).then(|| "up".to_owned())).collect()
    });
    scene.prometheus.until_nothing_is_missing(|prometheus| {
        let figures = [
            ("sum(osapi_jobs_created_total)", JOBS),
            ("sum(osapi_jobs_completed_total)", JOBS),
            ("osapi_ledger_jobs_created_total", JOBS),
            ("osapi_ledger_jobs_completed_total{status=\"cancelled\"}", 1.0),
            ("sum(osapi_worker_jobs_processed_total{worker=\"web-1\"})", JOBS - 1.0),
            ("sum(http_server_request_total{http_response_status_code=\"401\"})", 1.0),
            ("osapi_queue_depth", 0.0),
        ];
        let wrong = figures.into_iter().filter(|(expr, value)| prometheus.value(expr) != Some(*value));
        wrong.map(|(expr, value)| format!("{expr} = {value}")).collect()
    });
}

#[test]
fn every_rule_is_evaluated_and_no_alert_fires_on_a_healthy_server() {
    let scene = Scene::new();
    let is = |rule: &Value, name: &str, value: &str| rule[name] == value;
    scene.prometheus.until_nothing_is_missing(|prometheus| {
        let rules = prometheus.rules();
        let pending = rules.iter().filter(|rule| is(rule, "health", "unknown"));
        pending.map(|rule| rule["name"].to_string()).collect()
    });
    let later = names(&SERIES_OF_LONGER_TIMES);
    let recorded = recording_rules();
    scene.prometheus.until_nothing_is_missing(|prometheus| {
        let expected = recorded.keys().filter(|name| !later.contains(name.as_str()));
        expected.filter(|name| is_silent(prometheus, name)).cloned().collect()
    });
    let rules = scene.prometheus.rules();
    let loaded: BTreeSet<&str> = rules.iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    let alerts = alerts();
    assert_eq!(loaded, recorded.keys().chain(alerts.keys()).map(String::as_str).collect());
    for rule in &rules {
        assert!(is(rule, "health", "ok") && rule.get("lastError").is_none(), "{rule}");
        assert!(!is(rule, "state", "firing") || is(rule, "name", BUSY), "{rule}");
    }
}

#[test]
fn every_panel_has_data_and_every_query_of_the_documentation_an_answer() {
    let scene = Scene::new();
    let here = |expr: &str| {
        let job = expr.replace("$job", "osapi").replace("$instance", ".+");
        job.replace("$__rate_interval", "10s").replace("$__range", "1m")
    };
    let dashboard = Dashboard::load();
    let empty = names(&PANELS_WITHOUT_DATA);
    let (may_be_empty, shown): (Vec<_>, Vec<_>) =
        dashboard.shown().into_iter().partition(|shown| empty.contains(shown.title.as_str()));
    assert_eq!(may_be_empty.iter().map(|shown| shown.title.as_str()).collect::<BTreeSet<_>>(), empty);
    scene.prometheus.until_nothing_is_missing(|prometheus| {
        let missing = shown.iter().filter(|shown| is_silent(prometheus, &here(&shown.expr)));
        missing.map(|shown| format!("{}: {}", shown.title, here(&shown.expr))).collect()
    });
    let pages = PAGES.map(Page::load);
    let others = may_be_empty.iter().chain(&dashboard.marks()).map(|shown| here(&shown.expr)).collect::<Vec<_>>();
    for expr in others.iter().map(String::as_str).chain(pages.iter().flat_map(Page::queries)) {
        scene.prometheus.query(expr).unwrap_or_else(|error| panic!("{expr}: {error}"));
    }
}

#[test]
fn a_server_that_hangs_is_about_to_be_reported_and_its_return_ends_that() {
    let Scene { server, prometheus, _home } = Scene::new();
    let missing = |prometheus: &Prometheus, state: &str| {
        let rules = prometheus.rules();
        let alerts = ["OsapiDown", "OsapiTargetDown"].into_iter();
        let in_state = |alert: &&str| rules.iter().any(|rule| rule["name"] == *alert && rule["state"] == state);
        alerts.filter(|alert| !in_state(alert)).map(|alert| format!("{alert} {state}")).collect()
    };
    prometheus.until_nothing_is_missing(|prometheus| missing(prometheus, "inactive"));
    server.signal(Signal::STOP);
    prometheus.until_nothing_is_missing(|prometheus| missing(prometheus, "pending"));
    server.signal(Signal::CONT);
    prometheus.until_nothing_is_missing(|prometheus| missing(prometheus, "inactive"));
}
