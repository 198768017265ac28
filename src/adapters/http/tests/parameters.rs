//! Values of paths, queries and headers that are refused: 400, the parameter named, no port asked.

use super::{
    call::{Call, call, get, post},
    scene::{ID, Scene, job as shown, submitted},
};
use crate::domain::{JobStatus, OperationKind};

const SUBMIT: &str = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
const TWICE: &str = "it is there more than once";

async fn refused(request: Call, field: &str, message: &str, what: &str) {
    let answer = request.to(&Scene::new().app()).await;
    assert_eq!(answer.status, 400, "{what}: {answer:?}");
    let problem = answer.problem();
    assert_eq!(problem.detail, "a value of the request is wrong");
    assert_eq!(problem.field(), (field, message), "{what}");
}

#[tokio::test]
async fn a_wrong_value_of_a_query_is_refused() {
    let limit = "expected a whole number from 1 to 100";
    let status = "expected one of queued, running, completed, failed, partial_failure, cancelled, expired, lost";
    let operations = OperationKind::ALL.map(OperationKind::name).join(", ");
    let operation = format!("unknown operation, expected one of {operations}");
    let operation = operation.as_str();
    let target = "expected _any, _all, a hostname or a label such as group:web";
    let cursor = "expected the next_cursor of a page";
    for (field, message, values) in [
        ("limit", limit, &["0", "101", "-1", "1.5", "abc", "", "99999999999999999999", "1%zz", "%ff", " 1"][..]),
        ("status", status, &["nope", "", "Queued", "failed,queued", "%ff", "failed%00"]),
        ("operation", operation, &["node.nope", "", "node.os", "NODE.OS.GET"]),
        ("target", target, &["", "_none", "a%20b", "group:", "group%3A", "web-", "%00"]),
        ("worker", "expected a hostname", &["", "_any", "group:web", "a..b", "%E2%82%AC"]),
        (
            "cursor",
            cursor,
            &["", "2", "MTIz", ID, "0190000000007000800000000000000", "01900000000040008000000000000001", "%ff"],
        ),
    ] {
        for value in values {
            let query = format!("{field}={}", value.replace(' ', "%20"));
            refused(get(&format!("/api/v1/jobs?{query}")), field, message, &query).await;
        }
        let twice = format!("{field}=1&{field}=1");
        refused(get(&format!("/api/v1/jobs?{twice}")), field, TWICE, &twice).await;
    }
}

#[tokio::test]
async fn a_wrong_value_of_a_path_is_refused_by_its_name_in_the_template() {
    let id = "expected the id of a job, a UUID of version 7";
    let uuid_4 = "a3bb189e-8bf9-4888-9912-ace4e6543002";
    let without_hyphens = "01900000000070008000000000000001";
    for value in
        ["x", uuid_4, without_hyphens, "%zz", "%00", "..%2Fstats", "%20", "01900000-0000-7000-8000-00000000000g"]
    {
        let path = format!("/api/v1/jobs/{value}");
        refused(get(&path), "id", id, &path).await;
        refused(call("DELETE", &path).token("write"), "id", id, &path).await;
        refused(post(&format!("{path}/retry")), "id", id, &path).await;
        refused(post(&format!("{path}/cancel")), "id", id, &path).await;
    }
    refused(post("/api/v1/jobs//cancel"), "id", id, "nothing").await;
    for value in ["_all", "group:web", "a_b", "-a", "a%2Fb", "%E2%82%AC", "a%20"] {
        for verb in ["drain", "undrain"] {
            let path = format!("/api/v1/workers/{value}/{verb}");
            refused(post(&path), "hostname", "expected a hostname", &path).await;
        }
    }
}

#[tokio::test]
async fn a_preference_that_is_not_understood_is_ignored() {
    let job = format!("/api/v1/jobs/{ID}");
    let values: [&[u8]; 9] = [
        b"wait=abc",
        b"wait=",
        b"wait",
        b"wait=-1",
        b"wait=1s",
        b"respond-async, wait=x",
        b"wait=\"\"",
        b"\"",
        b"wait=k\xe9",
    ];
    let mut scene = Scene::new();
    scene.jobs.expect_submit().withf(|_, _, wait| wait.is_zero()).returning(|_, _, _| Ok(submitted(false)));
    scene.jobs.expect_job().withf(|_, wait| wait.is_zero()).returning(|_, _| Ok(shown(JobStatus::Running)));
    let app = scene.app();
    for value in values {
        let made = post("/api/v1/jobs").header("prefer", value).json(SUBMIT).to(&app).await;
        let lines = get(&job).header("prefer", "handling=lenient").header("prefer", value).to(&app).await;
        assert_eq!((made.status, lines.status), (201, 200), "{value:?}");
        assert_eq!((made.header("preference-applied"), lines.header("preference-applied")), (None, None));
    }
}

#[tokio::test]
async fn a_wrong_idempotency_key_is_refused() {
    let words = "expected 1 to 255 visible ASCII characters";
    let long = "k".repeat(256);
    for path in ["/api/v1/jobs".to_owned(), format!("/api/v1/jobs/{ID}/retry")] {
        let maker = || if path.ends_with("retry") { post(&path) } else { post(&path).json(SUBMIT) };
        for key in ["", &long, "a b", "a\tb"] {
            refused(maker().header("idempotency-key", key), "Idempotency-Key", words, key).await;
        }
        let two = maker().header("idempotency-key", "a").header("idempotency-key", "b");
        refused(two, "Idempotency-Key", TWICE, "two keys").await;
    }
}

#[tokio::test]
async fn a_header_that_is_no_text_is_refused_rather_than_overlooked() {
    let words = "expected visible ASCII characters";
    let name = "Idempotency-Key";
    for value in ["schlüssel".as_bytes(), b"k\xe9"] {
        refused(post("/api/v1/jobs").header(name, value).json(SUBMIT), name, words, name).await;
        let second = post("/api/v1/jobs").header(name, "a").header(name, value).json(SUBMIT);
        refused(second, name, words, name).await;
    }
}

#[tokio::test]
async fn a_query_parameter_that_a_route_does_not_know_is_refused_on_every_route() {
    let job = format!("/api/v1/jobs/{ID}");
    let list = "one of status, operation, target, worker, limit, cursor";
    let app = Scene::new().app();
    for (request, expected) in [
        (get("/api/v1/jobs?stauts=failed"), list),
        (post("/api/v1/jobs?stauts=failed").json(SUBMIT), "none"),
        (get("/api/v1/jobs/stats?stauts=failed"), "none"),
        (get(&format!("{job}?stauts=failed")), "none"),
        (call("DELETE", &format!("{job}?stauts=failed")).token("write"), "none"),
        (post(&format!("{job}/retry?stauts=failed")), "none"),
        (post(&format!("{job}/cancel?stauts=failed")), "none"),
        (get("/api/v1/workers?stauts"), "none"),
        (post("/api/v1/workers/web-01/drain?stauts=1"), "none"),
        (get("/api/v1/nodes/_any/os?stauts=1"), "wait"),
        (call("GET", "/health?stauts=1"), "none"),
        (call("GET", "/health/ready?stauts=1"), "none"),
        (get("/health/status?stauts=1"), "none"),
        (call("GET", "/openapi.json?stauts=1"), "none"),
        (call("GET", "/docs?stauts=1"), "none"),
        (call("GET", "/?stauts=1"), "none"),
    ] {
        let shown = format!("{request:?}");
        let answer = request.to(&app).await;
        let problem = answer.problem();
        let message = format!("unknown query parameter, expected {expected}");
        assert_eq!((answer.status, problem.field()), (422, ("stauts", message.as_str())), "{shown}");
    }
    // A name that could not be one of ours is not repeated.
    for query in ["Sta%20tus=1", "%ff=1", "=1", "a.b=1"] {
        let answer = get(&format!("/api/v1/jobs?{query}")).to(&app).await;
        assert_eq!((answer.status, answer.problem().field().0), (422, "query"), "{query}");
    }
}

#[tokio::test]
async fn all_mistakes_of_a_request_are_named_together() {
    let app = Scene::new().app();
    let fields = |answer: &super::call::Answer| {
        let errors = answer.problem().errors.into_iter();
        errors.map(|(field, _)| field).collect::<Vec<_>>().join(" ")
    };
    for (request, status, expected) in [
        (get("/api/v1/jobs?limit=0&status=nope&cursor=x"), 400, "limit status cursor"),
        (get("/api/v1/jobs?limit=0&stauts=nope&limit=1&worker=a_b"), 422, "limit stauts worker"),
        (get("/api/v1/nodes/a_b/os?wait=61"), 400, "target wait"),
        (post("/api/v1/nodes/a_b/network/ping?wait=61").json(r#"{"count":21}"#), 422, "target wait count address"),
        (post("/api/v1/nodes/_any/network/ping?wait=61").json("{"), 400, "wait body"),
        (post("/api/v1/nodes/_any/network/ping?wait=61").bytes("text/plain", "{}"), 400, "wait body"),
        (post("/api/v1/jobs").header("idempotency-key", "a b").json("{}"), 422, "Idempotency-Key operation target"),
        (post("/api/v1/jobs/x/retry?y=1").json(r#"{"target":5}"#), 422, "id y target"),
    ] {
        let shown = format!("{request:?}");
        let answer = request.to(&app).await;
        assert_eq!((answer.status, fields(&answer).as_str()), (status, expected), "{shown}");
    }
    let many = (0..1000).map(|number| format!("a{number}=1")).collect::<Vec<_>>().join("&");
    let answer = get(&format!("/api/v1/jobs?{many}")).to(&app).await;
    assert_eq!((answer.status, answer.problem().errors.len()), (422, 32), "a problem does not grow with the request");
}
