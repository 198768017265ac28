//! Refusals: of the ports, of handlers that panic, of paths and methods.

use std::{collections::HashMap, sync::Arc};

use poem::{Endpoint, EndpointExt, IntoResponse, endpoint::make, http::StatusCode};

use super::{
    call::{call, get, post},
    scene::{ID, Scene, id, job},
};
use crate::{
    adapters::http::{
        App, HttpSettings,
        edge::Edge,
        guarded::{Guard, Shared},
        problem_kind::ProblemKind,
        wire::Json,
    },
    domain::{FieldError, JobStatus, Scope, TargetError},
    ports::{
        driven::RouteId,
        driving::{JobsError, WorkersError},
    },
};

/// Kind, words, fields, whether a job is named, `Retry-After`.
type Shown = (ProblemKind, &'static str, Vec<(&'static str, &'static str)>, bool, Option<&'static str>);

fn shown(error: &JobsError) -> Shown {
    use ProblemKind as Kind;
    match error {
        JobsError::Invalid(_) => {
            (Kind::InvalidFields, "the request has invalid fields", vec![("timeout_seconds", "too long")], false, None)
        }
        JobsError::Target(TargetError::NoMatch) => {
            let words = "no connected worker matches the target";
            (Kind::NoMatchingWorker, words, vec![("target", words)], false, None)
        }
        JobsError::Target(TargetError::CommandsDisabled) => {
            let words = "no connected worker in the target runs commands";
            (Kind::CommandsDisabled, words, vec![("target", words)], false, None)
        }
        JobsError::Forbidden(_) => (Kind::MissingRole, "the operation needs the role `admin`", vec![], false, None),
        JobsError::TooLarge => (Kind::JobTooLarge, "the job is larger than the queue stores", vec![], false, None),
        JobsError::NotFound => (Kind::NoSuchJob, "no such job", vec![], false, None),
        JobsError::Conflict(_) => (Kind::Conflict, "the job is running", vec![], false, None),
        JobsError::KeyReused => {
            let fields = vec![("Idempotency-Key", "it was used for another request")];
            (Kind::KeyReused, "the idempotency key was used for another request", fields, false, None)
        }
        JobsError::Deleted(_) => {
            (Kind::Deleted, "the job that this idempotency key made was deleted", vec![], true, None)
        }
        JobsError::QueueFull => (Kind::QueueFull, "the queue is full", vec![], false, Some("1")),
        JobsError::Unavailable { job_id } => {
            (Kind::QueueUnavailable, "the queue is unavailable", vec![], job_id.is_some(), Some("1"))
        }
        JobsError::StorageFull => (Kind::StorageFull, "the storage is full", vec![], false, None),
        JobsError::Corrupt => (Kind::CorruptRecord, "a stored record is corrupt", vec![], false, None),
    }
}

fn every_jobs_error() -> Vec<JobsError> {
    vec![
        JobsError::Invalid(vec![FieldError::new("timeout_seconds", "too long")]),
        JobsError::Target(TargetError::NoMatch),
        JobsError::Target(TargetError::CommandsDisabled),
        JobsError::Forbidden(Scope::Admin),
        JobsError::NotFound,
        JobsError::TooLarge,
        JobsError::Conflict(JobStatus::Running),
        JobsError::KeyReused,
        JobsError::Deleted(id()),
        JobsError::QueueFull,
        JobsError::Unavailable { job_id: None },
        JobsError::Unavailable { job_id: Some(id()) },
        JobsError::StorageFull,
        JobsError::Corrupt,
    ]
}

#[tokio::test]
async fn every_refusal_about_jobs_is_its_problem_on_every_route() {
    let body = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
    for error in every_jobs_error() {
        let mut scene = Scene::new();
        let [submit, list, figures, job, delete, retry, cancel] = std::array::from_fn(|_| error.clone());
        scene.jobs.expect_submit().times(1).return_once(|_, _, _| Err(submit));
        scene.jobs.expect_list().times(1).return_once(|_| Err(list));
        scene.jobs.expect_stats().times(1).return_once(|| Err(figures));
        scene.jobs.expect_job().times(1).return_once(|_, _| Err(job));
        scene.jobs.expect_delete().times(1).return_once(|_| Err(delete));
        scene.jobs.expect_retry().times(1).return_once(|_, _| Err(retry));
        scene.jobs.expect_cancel().times(1).return_once(|_| Err(cancel));
        let app = scene.app();
        let (kind, detail, fields, about, retry_after) = shown(&error);
        for request in [
            post("/api/v1/jobs").json(body),
            get("/api/v1/jobs"),
            get("/api/v1/jobs/stats"),
            get(&format!("/api/v1/jobs/{ID}")),
            call("DELETE", &format!("/api/v1/jobs/{ID}")).token("write"),
            post(&format!("/api/v1/jobs/{ID}/retry")),
            post(&format!("/api/v1/jobs/{ID}/cancel")),
        ] {
            let answer = request.to(&app).await;
            let problem = answer.problem();
            assert_eq!((problem.kind, problem.detail.as_str()), (kind, detail), "{error:?}");
            let named: Vec<_> = problem.errors.iter().map(|(field, words)| (field.as_str(), words.as_str())).collect();
            assert_eq!(named, fields, "{error:?}");
            assert_eq!(problem.job_id.as_deref(), about.then_some(ID), "{error:?}");
            assert_eq!(answer.header("retry-after"), retry_after, "{error:?}");
        }
    }
}

#[tokio::test]
async fn every_refusal_about_workers_is_its_problem_on_every_route() {
    for (error, kind, detail, retry_after) in [
        (WorkersError::NotFound, ProblemKind::NoSuchWorker, "no such worker is connected", None),
        (WorkersError::Unavailable, ProblemKind::RegistryUnavailable, "the worker registry is unavailable", Some("1")),
        (WorkersError::StorageFull, ProblemKind::StorageFull, "the storage is full", None),
    ] {
        let mut scene = Scene::new();
        scene.workers.expect_list().times(1).returning(move || Err(error));
        scene.workers.expect_set_draining().times(2).returning(move |_, _| Err(error));
        let app = scene.app();
        for request in
            [get("/api/v1/workers"), post("/api/v1/workers/web-01/drain"), post("/api/v1/workers/web-01/undrain")]
        {
            let answer = request.to(&app).await;
            let problem = answer.problem();
            assert_eq!((problem.kind, problem.detail.as_str()), (kind, detail), "{error:?}");
            assert_eq!(answer.header("retry-after"), retry_after, "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_request_and_no_other() {
    let mut scene = Scene::new();
    scene.jobs.expect_stats().returning(|| panic!("a bug"));
    scene.jobs.expect_job().times(1).returning(|_, _| Ok(job(JobStatus::Running)));
    let app = scene.app();
    for _ in 0..2 {
        let panicked = get("/api/v1/jobs/stats").to(&app).await;
        assert_eq!((panicked.status, panicked.problem().detail.as_str()), (500, "something went wrong here"));
    }
    let answered = get(&format!("/api/v1/jobs/{ID}")).to(&app).await;
    assert_eq!(answered.status, 200, "{answered:?}");
}

/// A value that JSON cannot show.
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no words for it"))
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_problem() {
    let settings = HttpSettings::default();
    let shared = Shared::new(settings, None, None);
    // As one that would say 201 if it could.
    let created = |_| async { Ok::<_, poem::Error>(Json(Unwritable).with_status(StatusCode::CREATED).into_response()) };
    let inner = Guard::of_page(&shared, "/docs").around(make(created));
    let edge = Edge { inner, known: HashMap::new(), unmatched: RouteId(0), cross_origin: None, metrics: None };
    let app: App = Arc::new(edge.boxed());
    let answer = call("GET", "/docs").to(&app).await;
    assert_eq!((answer.status, answer.problem().detail.as_str()), (500, "something went wrong here"));
}

#[tokio::test]
async fn a_path_that_is_none_of_ours_is_404() {
    let app = Scene::new().app();
    for path in ["/nope", "/api", "/api/v1", "/api/v1/jobs/", "/api/v1/jobs/a/b/c", "/health/", "/docs/x", "//docs"] {
        let answer = get(path).to(&app).await;
        assert_eq!((answer.status, answer.problem().detail.as_str()), (404, "there is nothing at this path"), "{path}");
        assert_eq!(answer.header("allow"), None);
    }
    // Targets that are no paths (RFC 9112 §3.2).
    for (method, target) in [("CONNECT", "example.com:443"), ("OPTIONS", "*")] {
        assert_eq!(call(method, target).to(&app).await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_405_with_those_it_knows() {
    let app = Scene::new().app();
    let job = format!("/api/v1/jobs/{ID}");
    let retry = format!("{job}/retry");
    for (method, path, allow) in [
        ("PUT", "/api/v1/jobs", "GET, HEAD, POST"),
        ("OPTIONS", "/api/v1/jobs", "GET, HEAD, POST"),
        ("BREW", "/api/v1/jobs", "GET, HEAD, POST"),
        ("get", "/api/v1/jobs", "GET, HEAD, POST"),
        ("DELETE", "/api/v1/jobs/stats", "GET, HEAD"),
        ("POST", &job, "DELETE, GET, HEAD"),
        ("GET", &retry, "POST"),
        ("HEAD", &retry, "POST"),
        ("PATCH", "/api/v1/workers/web-01/drain", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/openapi.json", "GET, HEAD"),
        ("TRACE", "/docs", "GET, HEAD"),
    ] {
        // Also without a token: there is nothing to protect.
        let answer = call(method, path).to(&app).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_decoded_is_400() {
    let app = Scene::new().app();
    for path in ["/%ff", "/api/v1/jobs/%ff", "/api/v1/jobs/%c3%28/retry"] {
        let answer = get(path).to(&app).await;
        assert_eq!((answer.status, answer.problem().detail.as_str()), (400, "the request cannot be read"), "{path}");
    }
}

#[tokio::test]
async fn a_head_request_is_answered_like_get_without_a_body() {
    let mut scene = Scene::new();
    scene.jobs.expect_job().times(2).returning(|_, _| Ok(job(JobStatus::Running)));
    let app = scene.app();
    let job = format!("/api/v1/jobs/{ID}");
    for path in [job.as_str(), "/health", "/docs", "/openapi.json"] {
        let head = call("HEAD", path).token("read").to(&app).await;
        let get = get(path).to(&app).await;
        assert_eq!((head.status, head.text()), (200, String::new()), "{path}");
        for name in ["content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
}

#[tokio::test]
async fn a_request_keeps_its_own_id_when_it_is_harmless() {
    let app = Scene::new().app();
    for (own, kept) in [
        ("01900000-0000-7000-8000-000000000001", true),
        ("a.B_9", true),
        (&"x".repeat(64), true),
        (&"x".repeat(65), false),
        ("", false),
        ("a b", false),
        ("\"><script>", false),
        ("é", false),
    ] {
        for path in ["/health", "/nope"] {
            let answer = call("GET", path).header("x-request-id", own).to(&app).await;
            let id = answer.header("x-request-id").expect("every answer has one");
            assert_eq!(id == own, kept, "{own}");
            assert!(!id.is_empty());
        }
    }
    let first = call("GET", "/health").to(&app).await;
    let second = call("GET", "/health").to(&app).await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

#[tokio::test]
async fn a_request_names_one_host_and_at_most_one_token() {
    let mut scene = Scene::new();
    scene.jobs.expect_job().returning(|_, _| Ok(job(JobStatus::Running)));
    let app = scene.app();
    for path in ["/health", "/nope", "/docs"] {
        let twice = call("GET", path).header("host", "here").header("host", "there").to(&app).await;
        let problem = twice.problem();
        assert_eq!(
            (problem.kind, problem.detail.as_str()),
            (ProblemKind::MalformedRequest, "the request has more than one Host")
        );
    }
    let mut without = call("GET", "/health").request();
    without.headers_mut().remove("host");
    let refused = app.call(without).await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(call("GET", "/health").version_1_0().to(&app).await.status, 200, "HTTP/1.0 knows no Host");

    for path in [format!("/api/v1/jobs/{ID}"), "/health".to_owned()] {
        let twice = get(&path).token("read").to(&app).await;
        let problem = twice.problem();
        assert_eq!((problem.kind, problem.field().0), (ProblemKind::InvalidValue, "Authorization"), "{path}");
    }
}

#[tokio::test]
async fn the_root_leads_to_the_page_to_browse_the_document() {
    let app = Scene::new().app();
    for method in ["GET", "HEAD"] {
        let answer = call(method, "/").to(&app).await;
        assert_eq!((answer.status, answer.header("location"), answer.body.len()), (307, Some("/docs"), 0), "{method}");
    }
    let refused = call("POST", "/").to(&app).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
}
