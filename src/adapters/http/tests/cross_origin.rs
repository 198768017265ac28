//! Calls from pages of other origins (the CORS protocol of the Fetch standard).

use std::collections::BTreeSet;

use super::{
    call::{Answer, Call, call, get, post},
    record::Record,
    scene::{ID, Scene, job, stats},
};
use crate::{
    adapters::http::App,
    domain::JobStatus,
    ports::driven::{HttpEnd, HttpMethod},
};

const OURS: &str = "https://ops.example";

/// An application that pages of these origins may call.
fn app(origins: &[&str]) -> App {
    let mut scene = Scene::new();
    scene.settings.allow_origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
    scene.jobs.expect_job().returning(|_, _| Ok(job(JobStatus::Running)));
    scene.jobs.expect_stats().returning(|| panic!("a bug"));
    scene.app()
}

/// Requests of all kinds, and the status that each is answered with.
fn requests() -> Vec<(Call, u16)> {
    vec![
        (call("GET", "/health"), 200),
        (get(&format!("/api/v1/jobs/{ID}")), 200),
        (call("HEAD", "/openapi.json"), 200),
        (get("/api/v1/jobs?limit=0"), 400),
        (call("GET", "/api/v1/jobs"), 401),
        (get("/nope"), 404),
        (call("PUT", "/api/v1/jobs"), 405),
        (call("OPTIONS", "/api/v1/jobs"), 405),
        (post("/api/v1/jobs").json("no JSON"), 400),
        (get("/api/v1/jobs/stats"), 500),
    ]
}

/// What an answer says to browsers about origins.
fn words(answer: &Answer) -> BTreeSet<String> {
    answer.headers.keys().map(ToString::to_string).filter(|name| name.starts_with("access-control-")).collect()
}

fn varies_by_origin(answer: &Answer) -> bool {
    answer.headers.get_all("vary").iter().any(|value| value == "Origin")
}

#[tokio::test]
async fn an_origin_that_may_call_can_read_every_answer() {
    let app = app(&["http://localhost:3000", OURS]);
    for (request, status) in requests() {
        // Refusals are still problems: an answer is held to that when it arrives.
        let answer = request.header("origin", OURS).to(&app).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(OURS), "{answer:?}");
        let readable = answer.header("access-control-expose-headers").expect("headers that a page can read");
        for name in ["idempotency-replayed", "location", "retry-after", "x-request-id"] {
            assert!(readable.split(", ").any(|readable| readable == name), "{name}: {readable}");
        }
        assert!(varies_by_origin(&answer), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "tokens are sent by hand, cookies never");
    }
}

#[tokio::test]
async fn other_origins_are_answered_as_if_they_had_not_been_named() {
    let app = app(&[OURS]);
    for origin in [None, Some("https://evil.example"), Some("https://OPS.example"), Some("null"), Some("*"), Some("é")]
    {
        for (mut request, status) in requests() {
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = request.to(&app).await;
            assert_eq!((answer.status, words(&answer)), (status, BTreeSet::new()), "{origin:?}");
            assert!(varies_by_origin(&answer), "a cache must not give this answer to {OURS}: {answer:?}");
        }
        let asked = call("OPTIONS", "/api/v1/jobs").header("access-control-request-method", "POST");
        let answer = asked.header("origin", origin.unwrap_or("https://evil.example")).to(&app).await;
        assert_eq!((answer.status, words(&answer)), (405, BTreeSet::new()), "{origin:?}");
    }
}

#[tokio::test]
async fn without_origins_no_answer_says_a_word_about_them() {
    let app = app(&[]);
    for (request, status) in requests() {
        let answer = request.header("origin", OURS).to(&app).await;
        assert_eq!((answer.status, words(&answer)), (status, BTreeSet::new()));
        assert!(!varies_by_origin(&answer));
    }
    let asked = call("OPTIONS", "/api/v1/jobs").header("origin", OURS);
    let answer = asked.header("access-control-request-method", "POST").to(&app).await;
    assert_eq!((answer.status, words(&answer)), (405, BTreeSet::new()));
}

#[tokio::test]
async fn a_browser_is_told_what_it_may_send_to_each_path() {
    let app = app(&[OURS]);
    for (path, methods) in [
        ("/api/v1/jobs", "GET, HEAD, POST"),
        (&*format!("/api/v1/jobs/{ID}"), "DELETE, GET, HEAD"),
        (&*format!("/api/v1/jobs/{ID}/retry"), "POST"),
        ("/openapi.json", "GET, HEAD"),
    ] {
        let asked = call("OPTIONS", path).header("origin", OURS).header("access-control-request-method", "POST");
        let answer = asked.header("access-control-request-headers", "authorization,content-type").to(&app).await;
        assert_eq!((answer.status, answer.text()), (204, String::new()), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(OURS));
        assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{path}");
        let headers = answer.header("access-control-allow-headers").expect("headers that a page can send");
        for name in ["authorization", "content-type", "idempotency-key", "prefer", "x-request-id"] {
            assert!(headers.split(", ").any(|sent| sent == name), "{name}: {headers}");
        }
        assert!(answer.header("access-control-max-age").is_some());
        assert!(varies_by_origin(&answer));
    }
    let asked = call("OPTIONS", "/nope").header("origin", OURS).header("access-control-request-method", "GET");
    assert_eq!(asked.to(&app).await.status, 404);
}

#[tokio::test]
async fn what_a_browser_asks_is_counted_at_its_route() {
    let record = Record::default();
    let mut scene = Scene::new();
    scene.settings.allow_origins = vec![OURS.to_owned()];
    scene.metrics = Some(record.metrics(&scene.settings));
    scene.jobs.expect_stats().returning(|| Ok(stats()));
    let app = scene.app();
    let asked =
        |path: &str| call("OPTIONS", path).header("origin", OURS).header("access-control-request-method", "GET");
    asked("/api/v1/jobs/x").to(&app).await;
    asked("/nope").to(&app).await;
    get("/api/v1/jobs/stats").header("origin", OURS).to(&app).await;
    get("/nope").header("origin", OURS).to(&app).await;
    let ended = |route: &str, method, status| (route.to_owned(), method, HttpEnd::Answered(status), false);
    assert_eq!(
        record.finished(),
        [
            ended("/api/v1/jobs/{id}", HttpMethod::Options, 204),
            ended("unmatched", HttpMethod::Options, 404),
            ended("/api/v1/jobs/stats", HttpMethod::Get, 200),
            ended("unmatched", HttpMethod::Get, 404),
        ]
    );
}
