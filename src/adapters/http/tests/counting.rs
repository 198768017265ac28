//! What the metrics hear of requests.

use std::{collections::HashMap, sync::Arc};

use poem::{EndpointExt, Response, endpoint::make};

use super::{
    call::{Call, call, get, post},
    record::{Finished, Record},
    scene::{ID, Scene, job, submitted},
};
use crate::{
    adapters::http::{App, HttpSettings, edge::Edge, routes},
    domain::JobStatus,
    ports::{
        driven::{HttpEnd, HttpMethod, RouteId},
        driving::{JobsError, Readiness, WorkersError},
    },
};

const SUBMIT: &str = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;

fn ended(route: &str, method: HttpMethod, status: u16) -> Finished {
    (route.to_owned(), method, HttpEnd::Answered(status), false)
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.jobs.expect_submit().returning(|_, _, _| Ok(submitted(false)));
    scene.jobs.expect_job().returning(|_, _| Ok(job(JobStatus::Running)));
    scene.jobs.expect_list().returning(|_| Err(JobsError::QueueFull));
    scene.jobs.expect_stats().returning(|| panic!("a bug"));
    scene.jobs.expect_delete().returning(|_| Ok(()));
    scene.jobs.expect_retry().returning(|_, _| Ok(submitted(true)));
    scene.jobs.expect_cancel().returning(|_| Err(JobsError::NotFound));
    scene.workers.expect_set_draining().returning(|_, _| Err(WorkersError::NotFound));
    scene.health.expect_readiness().returning(|| Readiness { components: Vec::new() });
    scene.settings.body_limit = 100;
    scene
}

fn recording() -> (App, Record) {
    let record = Record::default();
    let mut scene = scene();
    scene.metrics = Some(record.metrics(&scene.settings));
    (scene.app(), record)
}

/// Requests of all kinds, and what is counted of each.
fn requests() -> Vec<(Call, Finished)> {
    use HttpMethod::{Connect, Delete, Get, Head, Options, Other, Post, Put};
    let job = format!("/api/v1/jobs/{ID}");
    let one = "/api/v1/jobs/{id}";
    let (retry, cancel) = ("/api/v1/jobs/{id}/retry", "/api/v1/jobs/{id}/cancel");
    let drain = "/api/v1/workers/{hostname}/drain";
    vec![
        (post("/api/v1/jobs").json(SUBMIT), ended("/api/v1/jobs", Post, 201)),
        (get("/api/v1/jobs?status=failed"), ended("/api/v1/jobs", Get, 503)),
        (get(&job), ended(one, Get, 200)),
        (call("HEAD", &job).token("read"), ended(one, Head, 200)),
        (call("DELETE", &job).token("write"), ended(one, Delete, 204)),
        (post(&format!("{job}/retry")), ended(retry, Post, 200)),
        (post(&format!("{job}/cancel")), ended(cancel, Post, 404)),
        (post("/api/v1/workers/web-01/drain"), ended(drain, Post, 404)),
        (call("GET", "/health"), ended("/health", Get, 200)),
        (call("GET", "/health/ready"), ended("/health/ready", Get, 200)),
        (call("GET", "/openapi.json"), ended("/openapi.json", Get, 200)),
        (call("HEAD", "/openapi.yaml"), ended("/openapi.yaml", Head, 200)),
        (call("GET", "/docs"), ended("/docs", Get, 200)),
        // Refusals keep the route.
        (get("/api/v1/jobs/nope"), ended(one, Get, 400)),
        (call("GET", &job), ended(one, Get, 401)),
        (post("/api/v1/jobs").bytes("text/plain", SUBMIT), ended("/api/v1/jobs", Post, 415)),
        (post("/api/v1/jobs").json(&" ".repeat(101)), ended("/api/v1/jobs", Post, 413)),
        (call("PUT", "/api/v1/jobs"), ended("/api/v1/jobs", Put, 405)),
        (call("OPTIONS", &job), ended(one, Options, 405)),
        (call("HEAD", &format!("{job}/retry")), ended(retry, Head, 405)),
        (call("BREW", "/docs"), ended("/docs", Other, 405)),
        (call("get", "/health"), ended("/health", Other, 405)),
        // What is none of ours is one route, whatever the client says.
        (get("/nope"), ended("unmatched", Get, 404)),
        (get("/api/v1/jobs/a/b/c"), ended("unmatched", Get, 404)),
        (call("BREW", "/coffee"), ended("unmatched", Other, 404)),
        (call("HEAD", "/%ff"), ended("unmatched", Head, 400)),
        (call("CONNECT", "example.com:443"), ended("unmatched", Connect, 404)),
        (call("GET", "/metrics"), ended("unmatched", Get, 404)),
        // Panics.
        (get("/api/v1/jobs/stats"), ("/api/v1/jobs/stats".to_owned(), Get, HttpEnd::Panicked, false)),
    ]
}

#[tokio::test]
async fn every_request_is_counted_once_at_the_template_of_its_route() {
    let (app, record) = recording();
    for (request, expected) in requests() {
        let shown = format!("{request:?}");
        request.to(&app).await;
        assert_eq!(record.finished(), [expected], "{shown}");
    }
}

#[tokio::test]
async fn answers_are_the_same_when_nothing_is_measured() {
    let (measured, _record) = recording();
    let plain = scene().app();
    for ((request, _), (again, _)) in requests().into_iter().zip(requests()) {
        let (measured, plain) = (request.to(&measured).await, again.to(&plain).await);
        assert_eq!((measured.status, measured.body.len()), (plain.status, plain.body.len()));
    }
}

#[tokio::test]
async fn requests_that_ask_to_wait_are_flagged_where_waiting_is_known() {
    let (app, record) = recording();
    let job = format!("/api/v1/jobs/{ID}");
    let submit = || post("/api/v1/jobs").json(SUBMIT);
    for (request, waited) in [
        (submit().header("prefer", "wait=1"), true),
        (get(&job).header("prefer", "respond-async").header("prefer", "Wait=5"), true),
        (call("HEAD", &job).token("read").header("prefer", "wait=60"), true),
        // It asked to wait, whatever came of it.
        (call("GET", &job).header("prefer", "wait=60"), true),
        (submit(), false),
        (submit().header("prefer", "wait=0"), false),
        (submit().header("prefer", "respond-async"), false),
        (submit().header("prefer", "wait=abc"), false),
        (get("/api/v1/jobs").header("prefer", "wait=60"), false),
        (post(&format!("{job}/retry")).header("prefer", "wait=60"), false),
        (get("/nope").header("prefer", "wait=60"), false),
    ] {
        let shown = format!("{request:?}");
        request.to(&app).await;
        let [(_, _, _, flagged)] = record.finished()[..] else { panic!("not counted once: {shown}") };
        assert_eq!(flagged, waited, "{shown}");
    }
}

#[tokio::test]
async fn a_panic_that_no_guard_caught_is_answered_and_counted() {
    let record = Record::default();
    let settings = HttpSettings::default();
    let unmatched = u16::try_from(routes(&settings).len() - 1).expect("few routes");
    let edge = Edge {
        inner: make(|_| async { panic!("a bug in a layer") as poem::Result<Response> }),
        known: HashMap::new(),
        unmatched: RouteId(unmatched),
        cross_origin: None,
        metrics: Some(record.metrics(&settings)),
    };
    let app: App = Arc::new(edge.boxed());
    let answer = get("/").to(&app).await;
    assert_eq!((answer.status, answer.problem().detail.as_str()), (500, "something went wrong here"));
    assert_eq!(record.finished(), [("unmatched".to_owned(), HttpMethod::Get, HttpEnd::Panicked, false)]);
}

#[test]
fn probes_and_scrapes_are_not_timed() {
    let settings = HttpSettings { metrics_path: "/internal/metrics".to_owned(), ..HttpSettings::default() };
    let untimed: Vec<String> =
        routes(&settings).into_iter().filter(|route| !route.timed).map(|route| route.template).collect();
    assert_eq!(untimed, ["/health", "/health/ready", "/health/status", "/internal/metrics"]);
    assert_eq!(routes(&settings).last().map(|route| route.template.as_str()), Some("unmatched"));
}
