//! Who may call what: tokens and roles, enforced before anything else of a request is looked at.

use std::{collections::BTreeMap, time::Duration};

use super::{
    call::{Call, call},
    record::Record,
    scene::{ID, Scene},
};
use crate::{
    adapters::http::{HttpSettings, document},
    domain::Scope,
    ports::{
        driven::{AuthError, Durability, HttpEnd, HttpMethod, QueueInfo},
        driving::{HealthReport, JobsError, Readiness, WorkersError},
    },
};

/// Every operation and the role that it needs.
fn roles() -> BTreeMap<(String, String), Option<Scope>> {
    [
        ("post", "/api/v1/jobs", Some(Scope::Write)),
        ("get", "/api/v1/jobs", Some(Scope::Read)),
        ("get", "/api/v1/jobs/stats", Some(Scope::Read)),
        ("get", "/api/v1/jobs/{id}", Some(Scope::Read)),
        ("delete", "/api/v1/jobs/{id}", Some(Scope::Write)),
        ("post", "/api/v1/jobs/{id}/retry", Some(Scope::Write)),
        ("post", "/api/v1/jobs/{id}/cancel", Some(Scope::Write)),
        ("get", "/api/v1/workers", Some(Scope::Read)),
        ("post", "/api/v1/workers/{hostname}/drain", Some(Scope::Write)),
        ("post", "/api/v1/workers/{hostname}/undrain", Some(Scope::Write)),
        ("get", "/api/v1/nodes/{target}/hostname", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/status", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/uptime", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/os", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/load", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/memory", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/disk", Some(Scope::Read)),
        ("get", "/api/v1/nodes/{target}/network/dns/{interface}", Some(Scope::Read)),
        ("put", "/api/v1/nodes/{target}/network/dns/{interface}", Some(Scope::Write)),
        ("post", "/api/v1/nodes/{target}/network/ping", Some(Scope::Write)),
        ("post", "/api/v1/nodes/{target}/command/exec", Some(Scope::Admin)),
        ("get", "/health", None),
        ("get", "/health/ready", None),
        ("get", "/health/status", Some(Scope::Read)),
        ("get", "/metrics", None),
    ]
    .map(|(method, path, role)| ((method.to_owned(), path.to_owned()), role))
    .into()
}

/// The role that the document states for each operation.
fn documented() -> BTreeMap<(String, String), Option<Scope>> {
    let document = document(&HttpSettings::default());
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let stated = operation["security"].as_array().filter(|schemes| !schemes.is_empty());
            let role = stated.map(|schemes| {
                let [scheme] = &schemes[..] else { panic!("{method} {path}: {schemes:?}") };
                let [role] = &scheme["bearer"].as_array().expect("scopes")[..] else {
                    panic!("{method} {path}: {scheme}")
                };
                role.as_str().expect("a word").parse().expect("a role")
            });
            found.insert((method.clone(), path.clone()), role);
        }
    }
    found
}

/// A request that a handler would take.
fn right(method: &str, path: &str) -> Call {
    let path = path
        .replace("{id}", ID)
        .replace("{hostname}", "web-01")
        .replace("{target}", "_any")
        .replace("{interface}", "eth0");
    let request = call(&method.to_uppercase(), &path);
    match (method, path.as_str()) {
        ("post", "/api/v1/jobs") => request.json(r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#),
        ("put", "/api/v1/nodes/_any/network/dns/eth0") => request.json(r#"{"servers":["127.0.0.1"]}"#),
        ("post", "/api/v1/nodes/_any/network/ping") => request.json(r#"{"address":"127.0.0.1"}"#),
        ("post", "/api/v1/nodes/_any/command/exec") => request.json(r#"{"command":["/bin/true"]}"#),
        _ => request,
    }
}

/// Ports that answer everything.
fn answering() -> Scene {
    let mut scene = Scene::new();
    scene.jobs.expect_submit().returning(|_, _, _| Err(JobsError::NotFound));
    scene.jobs.expect_list().returning(|_| Err(JobsError::NotFound));
    scene.jobs.expect_stats().returning(|| Err(JobsError::NotFound));
    scene.jobs.expect_job().returning(|_, _| Err(JobsError::NotFound));
    scene.jobs.expect_delete().returning(|_| Err(JobsError::NotFound));
    scene.jobs.expect_retry().returning(|_, _| Err(JobsError::NotFound));
    scene.jobs.expect_cancel().returning(|_| Err(JobsError::NotFound));
    scene.workers.expect_list().returning(|| Err(WorkersError::NotFound));
    scene.workers.expect_set_draining().returning(|_, _| Err(WorkersError::NotFound));
    scene.health.expect_readiness().returning(|| Readiness { components: Vec::new() });
    scene.health.expect_report().returning(|| HealthReport {
        version: "1.2.3",
        uptime: Duration::ZERO,
        readiness: Readiness { components: Vec::new() },
        queue: QueueInfo { backend: "embedded", durability: Durability::PowerLoss },
        stats: None,
        workers: None,
    });
    scene
}

#[test]
fn every_operation_states_the_role_that_it_needs() {
    assert_eq!(documented(), roles());
}

#[tokio::test]
async fn the_role_that_an_operation_states_is_the_one_that_it_needs() {
    for ((method, path), role) in documented() {
        let Some(role) = role else {
            let answer = right(&method, &path).to(&answering().app()).await;
            assert!(!matches!(answer.status, 401 | 403), "{method} {path}: {answer:?}");
            continue;
        };
        for held in Scope::ALL {
            let answer = right(&method, &path).token(held.as_str()).to(&answering().app()).await;
            if held.includes(role) {
                assert!(matches!(answer.status, 200 | 404), "{method} {path}: {answer:?}");
                continue;
            }
            // Nobody is asked anything.
            let answer = right(&method, &path).token(held.as_str()).to(&Scene::new().app()).await;
            let expected = (403, format!("the route needs the role `{role}`"));
            assert_eq!((answer.status, answer.problem().detail), expected, "{method} {path}");
        }
        let answer = right(&method, &path).to(&Scene::new().app()).await;
        assert_eq!((answer.status, answer.problem().detail.as_str()), (401, "no bearer token"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_401_with_a_challenge_and_counted() {
    let missing = Some("Bearer");
    let invalid = Some("Bearer error=\"invalid_token\"");
    let record = Record::default();
    let mut scene = Scene::new();
    scene.metrics = Some(record.metrics(&scene.settings));
    let app = scene.app();
    for (header, challenge, error) in [
        (None, missing, AuthError::Missing),
        (Some(""), missing, AuthError::Missing),
        (Some("Bearer"), missing, AuthError::Missing),
        (Some("Basic YWxpY2U6c2VjcmV0"), missing, AuthError::Missing),
        (Some("Bearér write"), missing, AuthError::Missing),
        (Some("write"), missing, AuthError::Missing),
        (Some("Bearer "), invalid, AuthError::Malformed),
        (Some("Bearer garbled"), invalid, AuthError::Malformed),
        (Some("Bearer write extra"), invalid, AuthError::Malformed),
        (Some("Bearer forged"), invalid, AuthError::Signature),
        (Some("Bearer expired"), invalid, AuthError::Expired),
        (Some("Bearer early"), invalid, AuthError::NotYetValid),
        (Some("Bearer foreign"), invalid, AuthError::WrongIssuer),
    ] {
        let mut request = right("post", "/api/v1/jobs");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = request.to(&app).await;
        assert_eq!((answer.status, answer.problem().detail), (401, error.to_string()), "{header:?}");
        assert_eq!(answer.header("www-authenticate"), challenge, "{header:?}");
        assert_eq!(record.rejected(), [error], "{header:?}");
        assert_eq!(record.finished(), [("/api/v1/jobs".to_owned(), HttpMethod::Post, HttpEnd::Answered(401), false)]);
    }
    // RFC 6750 §3.1: another token will not help somebody who lacks a role.
    let answer = right("post", "/api/v1/jobs").token("read").to(&app).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (403, None));
    assert_eq!(record.rejected(), [AuthError::Scope]);
    // The word for the scheme has no case (RFC 9110 §11.1).
    let request = call("GET", "/api/v1/jobs").header("authorization", "bEARER  read");
    assert_eq!(request.to(&answering().app()).await.status, 404);
}

#[tokio::test]
async fn an_operation_that_needs_a_larger_role_than_its_route_is_403_and_counted() {
    let record = Record::default();
    let mut scene = Scene::new();
    scene.metrics = Some(record.metrics(&scene.settings));
    scene.jobs.expect_submit().returning(|_, _, _| Err(JobsError::Forbidden(Scope::Admin)));
    scene.jobs.expect_retry().returning(|_, _| Err(JobsError::Forbidden(Scope::Admin)));
    let app = scene.app();
    for path in ["/api/v1/jobs", "/api/v1/jobs/{id}/retry"] {
        let answer = right("post", path).token("write").to(&app).await;
        assert_eq!((answer.status, answer.problem().detail.as_str()), (403, "the operation needs the role `admin`"));
        assert_eq!(record.rejected(), [AuthError::Scope], "{path}");
    }
}

#[tokio::test]
async fn the_token_is_looked_at_before_the_rest_of_the_request() {
    let app = Scene::new().app();
    let nobody = |method: &str, path: &str| call(method, path).token("expired");
    for request in [
        nobody("POST", "/api/v1/jobs").json("no JSON"),
        nobody("POST", "/api/v1/jobs/nope/retry"),
        nobody("POST", "/api/v1/jobs").header("content-length", "99999999"),
        nobody("POST", "/api/v1/jobs").header("idempotency-key", ""),
        nobody("GET", "/api/v1/jobs?limit=0"),
        nobody("GET", &format!("/api/v1/jobs/{ID}")).header("prefer", "wait=abc"),
    ] {
        let answer = request.to(&app).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}
