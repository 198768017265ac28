//! The job routes: what a request asks of the port, and how the answer is shown.

use std::time::Duration;

use mockall::predicate::eq;
use serde_json::{Value, json};

use super::{
    call::{call, get, post},
    scene::{ID, Scene, caller, id, job, operation, stats, submitted, summary},
};
use crate::{
    domain::{JobStatus, OperationKind, Scope},
    ports::{
        driven::{JobFilter, JobPage, PageRequest},
        driving::{JobRequest, RetryRequest},
    },
};

const HOSTNAME_OF_WEB: &str = r#"{"operation":{"type":"node.hostname.get"},"target":"group:web"}"#;

fn request() -> JobRequest {
    JobRequest {
        operation: operation(OperationKind::NodeHostnameGet),
        target: "group:web".parse().expect("a target"),
        timeout_seconds: None,
        deadline_seconds: None,
        idempotency_key: None,
    }
}

fn shown_summary() -> Value {
    json!({
        "id": ID,
        "operation": { "type": "node.hostname.get" },
        "target": "group:web",
        "status": "running",
        "created_at": "2027-01-15T08:00:00Z",
        "started_at": "2027-01-15T08:00:01Z",
        "finished_at": null,
        "deadline_at": "2027-01-15T09:00:00Z",
        "cancel_requested_at": null,
        "created_by": "alice",
        "retried_from": null,
    })
}

fn shown() -> Value {
    let mut shown = shown_summary();
    shown["executions"] = json!([
        {
            "operation": "node.hostname.get",
            "worker": "web-01",
            "status": "completed",
            "attempt": 1,
            "started_at": "2027-01-15T08:00:01Z",
            "finished_at": "2027-01-15T08:00:03Z",
            "duration_seconds": 2.0,
            "result": { "hostname": "web-01", "labels": {} },
            "error": null,
        },
        {
            "operation": "node.hostname.get",
            "worker": null,
            "status": "queued",
            "attempt": 0,
            "started_at": null,
            "finished_at": null,
            "duration_seconds": null,
            "result": null,
            "error": null,
        },
    ]);
    shown["timeline"] = json!([{ "at": "2027-01-15T08:00:00Z", "event": "created", "worker": null, "message": null }]);
    shown
}

#[tokio::test]
async fn an_accepted_job_is_answered_with_its_place() {
    let mut scene = Scene::new();
    scene
        .jobs
        .expect_submit()
        .with(eq(caller(Scope::Write)), eq(request()), eq(Duration::ZERO))
        .times(1)
        .returning(|_, _, _| Ok(submitted(false)));
    let answer = post("/api/v1/jobs").json(HOSTNAME_OF_WEB).to(&scene.app()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("location"), Some(format!("/api/v1/jobs/{ID}").as_str()));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotency-replayed"), None);
    assert_eq!(answer.json(), shown());
}

#[tokio::test]
async fn everything_that_a_request_can_say_reaches_the_port() {
    let mut scene = Scene::new();
    let expected = JobRequest {
        target: "_any".parse().expect("a target"),
        timeout_seconds: Some(5),
        deadline_seconds: Some(60),
        idempotency_key: Some("k-1".parse().expect("a key")),
        ..request()
    };
    scene
        .jobs
        .expect_submit()
        .with(eq(caller(Scope::Admin)), eq(expected), eq(Duration::from_secs(7)))
        .times(1)
        .returning(|_, _, _| Ok(submitted(true)));
    let body = r#"{"deadline_seconds":60,"timeout_seconds":5,"target":"_any",
                   "operation":{"data":{},"type":"node.hostname.get"}}"#;
    let request = call("POST", "/api/v1/jobs").token("admin").header("prefer", "wait=7");
    let answer = request.header("idempotency-key", "k-1").json(body).to(&scene.app()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert_eq!(answer.header("location"), Some(format!("/api/v1/jobs/{ID}").as_str()));
    assert_eq!(answer.json(), shown());
}

#[tokio::test]
async fn an_operation_without_input_takes_no_data_null_and_an_empty_object() {
    let mut scene = Scene::new();
    scene
        .jobs
        .expect_submit()
        .withf(|_, asked, _| *asked == request())
        .times(3)
        .returning(|_, _, _| Ok(submitted(false)));
    let app = scene.app();
    for data in ["", r#","data":null"#, r#","data":{}"#] {
        let body = format!(r#"{{"operation":{{"type":"node.hostname.get"{data}}},"target":"group:web"}}"#);
        let answer = post("/api/v1/jobs").json(&body).to(&app).await;
        assert_eq!(answer.status, 201, "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_job_is_shown_after_the_wait_that_was_asked_for() {
    let mut scene = Scene::new();
    scene
        .jobs
        .expect_job()
        .with(eq(id()), eq(Duration::from_mins(1)))
        .times(1)
        .returning(|_, _| Ok(job(JobStatus::Running)));
    let answer = get(&format!("/api/v1/jobs/{ID}")).header("prefer", "wait=600").to(&scene.app()).await;
    assert_eq!((answer.status, answer.json()), (200, shown()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_page_is_asked_for_with_its_filters_and_shown_with_its_cursor() {
    let next = "01900000000070008000000000000001";
    let everything = JobFilter {
        status: Some(JobStatus::Failed),
        operation: Some(OperationKind::NodeOsGet),
        target: Some("group:web.dev".parse().expect("a target")),
        worker: Some("web-01".parse().expect("a hostname")),
    };
    let filters = "status=failed&operation=node.os.get&target=group%3Aweb.dev&worker=web-01&limit=100";
    for (query, expected) in [
        (String::new(), PageRequest { filter: JobFilter::default(), before: None, limit: 20 }),
        (format!("?{filters}&cursor={next}"), PageRequest { filter: everything, before: Some(id()), limit: 100 }),
    ] {
        let mut scene = Scene::new();
        scene
            .jobs
            .expect_list()
            .with(eq(expected))
            .times(1)
            .returning(|_| Ok(JobPage { jobs: vec![summary(JobStatus::Running)], next: Some(id()) }));
        let answer = get(&format!("/api/v1/jobs{query}")).to(&scene.app()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), json!({ "items": [shown_summary()], "next_cursor": next }));
    }
}

#[tokio::test]
async fn the_last_page_has_no_cursor() {
    let mut scene = Scene::new();
    scene.jobs.expect_list().times(1).returning(|_| Ok(JobPage::default()));
    let answer = get("/api/v1/jobs").to(&scene.app()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "items": [], "next_cursor": null })));
}

#[tokio::test]
async fn the_figures_name_every_status_and_operation() {
    let mut scene = Scene::new();
    scene.jobs.expect_stats().times(1).returning(|| Ok(stats()));
    let answer = get("/api/v1/jobs/stats").to(&scene.app()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = answer.json();
    for status in JobStatus::ALL {
        let expected = u64::from(matches!(status, JobStatus::Queued | JobStatus::Failed));
        assert_eq!(shown["by_status"][status.as_str()], expected, "{status}");
        let ended = status.is_terminal().then_some(u64::from(status == JobStatus::Failed));
        assert_eq!(
            shown["ledger"]["by_terminal_status"].get(status.as_str()).and_then(Value::as_u64),
            ended,
            "{status}"
        );
    }
    for kind in OperationKind::ALL {
        let expected = if kind == OperationKind::NodeHostnameGet { 2 } else { 0 };
        assert_eq!(shown["by_operation"][kind.name()], expected, "{kind:?}");
    }
    assert_eq!(shown["queue"], json!({ "depth": 1, "oldest_age_seconds": 3.0 }));
    assert_eq!(shown["ledger"]["created"], 2);
}

#[tokio::test]
async fn a_retry_keeps_the_target_unless_it_says_another() {
    let request = |target: Option<&str>, key: Option<&str>| RetryRequest {
        id: id(),
        target: target.map(|target| target.parse().expect("a target")),
        idempotency_key: key.map(|key| key.parse().expect("a key")),
    };
    for (body, key, replayed, expected) in [
        (None, None, false, request(None, None)),
        (Some("{}"), None, false, request(None, None)),
        (Some("null"), None, false, request(None, None)),
        (Some(r#"{"target":null}"#), None, false, request(None, None)),
        (Some(r#"{"target":"web-02"}"#), Some("k"), true, request(Some("web-02"), Some("k"))),
    ] {
        let mut scene = Scene::new();
        scene
            .jobs
            .expect_retry()
            .with(eq(caller(Scope::Write)), eq(expected))
            .times(1)
            .returning(move |_, _| Ok(submitted(replayed)));
        let mut call = post(&format!("/api/v1/jobs/{ID}/retry"));
        if let Some(key) = key {
            call = call.header("idempotency-key", key);
        }
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.to(&scene.app()).await;
        assert_eq!(answer.status, if replayed { 200 } else { 201 }, "{body:?}: {answer:?}");
        assert_eq!(answer.header("location"), Some(format!("/api/v1/jobs/{ID}").as_str()));
        assert_eq!(answer.json(), shown());
    }
}

#[tokio::test]
async fn a_cancelled_job_is_shown_and_a_deleted_one_leaves_nothing() {
    let mut scene = Scene::new();
    scene.jobs.expect_cancel().with(eq(id())).times(1).returning(|_| Ok(job(JobStatus::Running)));
    scene.jobs.expect_delete().with(eq(id())).times(1).returning(|_| Ok(()));
    let app = scene.app();
    let cancelled = post(&format!("/api/v1/jobs/{ID}/cancel")).to(&app).await;
    assert_eq!((cancelled.status, cancelled.json()), (200, shown()));
    let deleted = call("DELETE", &format!("/api/v1/jobs/{ID}")).token("write").to(&app).await;
    assert_eq!((deleted.status, deleted.text()), (204, String::new()));
    assert_eq!(deleted.header("content-type"), None);
}
