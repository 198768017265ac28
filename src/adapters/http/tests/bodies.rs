//! Bodies that are refused: before they are read, because they cannot be read, because of what they say. No port is
//! asked about any of them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use poem::Body;

use super::{
    call::{call, post},
    scene::{ID, Scene, submitted},
};
use crate::{domain::OperationKind, ports::driving::JobRequest};

/// Bytes that a request may have.
const LIMIT: usize = 200;

fn app() -> crate::adapters::http::App {
    let mut scene = Scene::new();
    scene.settings.body_limit = LIMIT;
    scene.app()
}

/// Where jobs are made, with a body that is right.
fn makers() -> [(String, &'static str); 2] {
    [
        ("/api/v1/jobs".to_owned(), r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#),
        (format!("/api/v1/jobs/{ID}/retry"), r#"{"target":"_any"}"#),
    ]
}

#[tokio::test]
async fn a_field_that_is_wrong_is_422_and_named() {
    let operations = OperationKind::ALL.map(OperationKind::name).join(", ");
    let unknown_operation = format!("unknown operation, expected one of {operations}");
    let target = "expected _any, _all, a hostname or a label such as group:web";
    let fields = "unknown field, expected one of operation, target, timeout_seconds, deadline_seconds";
    let seconds = "expected a whole number, 0 or more";
    let any = r#""target":"_any""#;
    let os = r#""operation":{"type":"node.os.get"}"#;
    let app = app();
    for (body, field, message) in [
        // The operation.
        (format!("{{{any}}}"), "operation", "it is missing"),
        (format!(r#"{{"operation":null,{any}}}"#), "operation", "expected an object"),
        (format!(r#"{{"operation":"node.os.get",{any}}}"#), "operation", "expected an object"),
        (format!(r#"{{"operation":["node.os.get",null],{any}}}"#), "operation", "expected an object"),
        (format!(r#"{{"operation":{{}},{any}}}"#), "operation.type", "it is missing"),
        (format!(r#"{{"operation":{{"type":"node.nope"}},{any}}}"#), "operation.type", &unknown_operation),
        (format!(r#"{{"operation":{{"type":"Node.Os.Get"}},{any}}}"#), "operation.type", &unknown_operation),
        (format!(r#"{{"operation":{{"type":7}},{any}}}"#), "operation.type", "expected a string"),
        (format!(r#"{{"operation":{{"type":null}},{any}}}"#), "operation.type", "expected a string"),
        (
            format!(r#"{{"operation":{{"type":"node.os.get","dota":{{}}}},{any}}}"#),
            "operation.dota",
            "unknown field, expected type or data",
        ),
        (
            format!(r#"{{"operation":{{"type":"node.os.get","type":"x"}},{any}}}"#),
            "operation.type",
            "it is there twice",
        ),
        // Its data.
        (
            format!(r#"{{"operation":{{"type":"node.os.get","data":{{"x":1}}}},{any}}}"#),
            "operation.data.x",
            "unknown field, expected none",
        ),
        (
            format!(r#"{{"operation":{{"data":[],"type":"node.os.get"}},{any}}}"#),
            "operation.data",
            "expected an object",
        ),
        (format!(r#"{{"operation":{{"type":"node.os.get","data":1}},{any}}}"#), "operation.data", "expected an object"),
        // The target.
        (format!("{{{os}}}"), "target", "it is missing"),
        (format!(r#"{{{os},"target":null}}"#), "target", "expected a string"),
        (format!(r#"{{{os},"target":5}}"#), "target", "expected a string"),
        (format!(r#"{{{os},"target":["_any"]}}"#), "target", "expected a string"),
        (format!(r#"{{{os},"target":""}}"#), "target", target),
        (format!(r#"{{{os},"target":"_none"}}"#), "target", target),
        (format!(r#"{{{os},"target":"group:"}}"#), "target", target),
        (format!(r#"{{{os},"target":"web 1"}}"#), "target", target),
        (format!(r#"{{{os},"target":"web\u0000"}}"#), "target", target),
        (format!(r#"{{{os},"target":"\ud800"}}"#), "target", "the value cannot be read"),
        (format!(r#"{{{os},{any},"target":"_all"}}"#), "target", "it is there twice"),
        // The limits.
        (format!(r#"{{{os},{any},"timeout_seconds":"5"}}"#), "timeout_seconds", seconds),
        (format!(r#"{{{os},{any},"timeout_seconds":-1}}"#), "timeout_seconds", seconds),
        (format!(r#"{{{os},{any},"timeout_seconds":1.5}}"#), "timeout_seconds", seconds),
        (format!(r#"{{{os},{any},"timeout_seconds":true}}"#), "timeout_seconds", seconds),
        (format!(r#"{{{os},{any},"timeout_seconds":18446744073709551616}}"#), "timeout_seconds", seconds),
        (format!(r#"{{{os},{any},"timeout_seconds":1e400}}"#), "timeout_seconds", "the value cannot be read"),
        (format!(r#"{{{os},{any},"deadline_seconds":{{}}}}"#), "deadline_seconds", seconds),
        // The whole.
        (format!(r#"{{{os},{any},"tiemout_seconds":5}}"#), "tiemout_seconds", fields),
        (format!(r#"{{{os},{any},"Timeout Seconds":5}}"#), "body", fields),
        (r#"[{"type":"node.os.get"},"_any",null,null]"#.to_owned(), "body", "expected an object"),
        ("null".to_owned(), "body", "expected an object"),
        (r#""{""#.to_owned(), "body", "expected an object"),
    ] {
        let answer = post("/api/v1/jobs").json(&body).to(&app).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        let problem = answer.problem();
        assert_eq!(problem.detail, "the request has invalid fields");
        assert_eq!(problem.field(), (field, message), "{body}");
    }
    for (body, field, message) in [
        (r#"{"target":"a b"}"#, "target", target),
        (r#"{"target":["_any"]}"#, "target", "expected a string"),
        (r#"{"tagret":"_any"}"#, "tagret", "unknown field, expected target"),
        (r#"["_any"]"#, "body", "expected an object"),
        ("[]", "body", "expected an object"),
        ("true", "body", "expected an object"),
    ] {
        let answer = post(&format!("/api/v1/jobs/{ID}/retry")).json(body).to(&app).await;
        assert_eq!((answer.status, answer.problem().field()), (422, (field, message)), "{body}");
    }
}

#[tokio::test]
async fn all_fields_of_a_body_that_are_wrong_are_named_together() {
    let mut scene = Scene::new();
    scene.settings.body_limit = 1000;
    let app = scene.app();
    let dns = "/api/v1/nodes/_any/network/dns/eth0";
    for (request, expected) in [
        (post("/api/v1/jobs").json("{}"), "operation target"),
        (
            post("/api/v1/jobs").json(
                r#"{"target":"a b","timeout_seconds":0,"operation":{"type":"network.ping","data":{"count":0,"adress":"x"}},
                "deadline_seconds":30.5,"extra":1}"#,
            ),
            "target deadline_seconds extra operation.data.count operation.data.adress operation.data.address \
             timeout_seconds",
        ),
        (
            post("/api/v1/jobs").json(r#"{"operation":{"type":"nope","dota":1},"timeout_seconds":3601}"#),
            "target operation.type operation.dota timeout_seconds",
        ),
        (
            post("/api/v1/jobs").json(r#"{"operation":{"type":"network.dns.get","dota":1,"data":{"x":1}},"target":"_any"}"#),
            "operation.dota operation.data.x operation.data.interface",
        ),
        (call("POST", "/api/v1/nodes/_any/command/exec").token("admin").json(r#"{"timeout_seconds":0}"#), "timeout_seconds command"),
        (call("PUT", dns).token("write").json(r#"{"servers":["x"],"search_domains":5,"interface":"lo"}"#),
            "servers[0] search_domains interface"),
        (call("PUT", dns).token("write").json(r#"{ "servrs": [] }"#), "servrs"),
        (call("PUT", dns).token("write").json("{ }"), "body"),
    ] {
        let shown = format!("{request:?}");
        let answer = request.to(&app).await;
        assert_eq!(answer.status, 422, "{shown}: {answer:?}");
        let fields: Vec<String> = answer.problem().errors.into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields.join(" "), expected, "{shown}");
    }
}

#[tokio::test]
async fn a_number_without_a_fraction_is_whole_however_it_is_written() {
    let mut scene = Scene::new();
    let limits = |request: &JobRequest| (request.timeout_seconds, request.deadline_seconds);
    scene
        .jobs
        .expect_submit()
        .withf(move |_, request, _| limits(request) == (Some(30), Some(60)))
        .returning(|_, _, _| Ok(submitted(false)));
    let app = scene.app();
    for (timeout, deadline) in [("30", "60"), ("30.0", "6e1"), ("3E1", "0.6e2")] {
        let body = format!(
            r#"{{"operation":{{"type":"network.ping","data":{{"address":"127.0.0.1","count":2e0}}}},"target":"_any",
            "timeout_seconds":{timeout},"deadline_seconds":{deadline}}}"#
        );
        assert_eq!(post("/api/v1/jobs").json(&body).to(&app).await.status, 201, "{body}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_415() {
    let app = app();
    for (path, right) in makers() {
        for coding in ["gzip", "br", "identity, gzip", "x-unknown", ""] {
            let answer = post(&path).header("content-encoding", coding).json(right).to(&app).await;
            let expected = (415, "expected a body without a content coding".to_owned());
            assert_eq!((answer.status, answer.problem().detail), expected, "{coding}");
        }
    }
    let mut scene = Scene::new();
    scene.jobs.expect_retry().times(1).returning(|_, _| Ok(submitted(false)));
    let plain = post(&format!("/api/v1/jobs/{ID}/retry")).header("content-encoding", "Identity").json("{}");
    assert_eq!(plain.to(&scene.app()).await.status, 201);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400_and_says_where() {
    let app = app();
    for (path, right) in makers() {
        let half = &right[..right.len() / 2];
        for (body, place) in [
            (half.as_bytes(), format!("line 1 column {}", half.len())),
            (b"{\n}}", "line 2 column 2".to_owned()),
            (b"{'target':'_any'}", "line 1 column 2".to_owned()),
            (b"{\"target\":\"\xff\"}", "line 1 column 12".to_owned()),
            (b"\xef\xbb\xbf{}", "line 1 column 1".to_owned()),
            (b"nul", "line 1 column 3".to_owned()),
            (b"target=_any", "line 1 column 2".to_owned()),
            (b"[", "line 1 column 1".to_owned()),
        ] {
            let answer = post(&path).bytes("application/json", body).to(&app).await;
            let expected = format!("the body is not valid JSON, at {place}");
            assert_eq!((answer.status, answer.problem().detail), (400, expected), "{}", String::from_utf8_lossy(body));
        }
    }
    // Only a retry has something to do without a body.
    let nothing = post("/api/v1/jobs").json("").to(&app).await;
    assert_eq!(nothing.status, 400, "{nothing:?}");
}

#[tokio::test]
async fn a_body_of_another_type_is_415() {
    let app = app();
    for (path, right) in makers() {
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json5",
            "application/problem+json",
            "json",
            "",
        ] {
            let answer = post(&path).bytes(content_type, right).to(&app).await;
            let expected = (415, "expected the content type application/json".to_owned());
            assert_eq!((answer.status, answer.problem().detail), expected, "{content_type}");
        }
        let untyped = post(&path).header("content-length", right.len().to_string());
        assert_eq!(untyped.body(Body::from(right)).to(&app).await.status, 415);
    }
}

#[tokio::test]
async fn parameters_and_case_of_the_content_type_do_not_matter() {
    let mut scene = Scene::new();
    scene.jobs.expect_retry().times(2).returning(|_, _| Ok(submitted(false)));
    let app = scene.app();
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let answer = post(&format!("/api/v1/jobs/{ID}/retry")).bytes(content_type, "{}").to(&app).await;
        assert_eq!(answer.status, 201, "{content_type}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_whether_declared_or_found_out() {
    let app = app();
    let words = format!("the body is larger than {LIMIT} bytes");
    let endless = || Body::from_bytes_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("{}")));
    for path in ["/api/v1/jobs", &format!("/api/v1/jobs/{ID}/retry")] {
        let declared = |length: usize| post(path).bytes("application/json", vec![b' '; length]);
        let chunked = |length: usize| post(path).chunked(Body::from_vec(vec![b' '; length]));
        let announced = post(path).header("content-length", "18446744073709551615");
        for call in [declared(LIMIT + 1), chunked(LIMIT + 1), post(path).chunked(endless()), announced] {
            let answer = call.to(&app).await;
            assert_eq!((answer.status, answer.problem().detail), (413, words.clone()), "{path}");
        }
        // A body of the limit's size is read: it is no JSON.
        for call in [declared(LIMIT), chunked(LIMIT)] {
            assert_eq!(call.to(&app).await.status, 400, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_short_is_408_after_half_a_minute() {
    let begun = tokio::time::Instant::now();
    let stalled = stream::iter([Ok::<_, std::io::Error>("{")]).chain(stream::pending());
    let answer = post("/api/v1/jobs").chunked(Body::from_bytes_stream(stalled)).to(&app()).await;
    assert_eq!((answer.status, answer.problem().detail.as_str()), (408, "the body did not come in time"));
    assert_eq!(begun.elapsed().as_secs(), Duration::from_secs(30).as_secs());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let broken = stream::iter([Ok("{"), Err(std::io::Error::other("reset"))]);
    let answer = post("/api/v1/jobs").chunked(Body::from_bytes_stream(broken)).to(&app()).await;
    assert_eq!((answer.status, answer.problem().detail.as_str()), (400, "the body cannot be read"));
}

#[tokio::test]
async fn deep_and_long_bodies_are_refused_like_any_other() {
    let app = Scene::new().app();
    let deep = "[".repeat(100_000);
    let long = "x".repeat(500_000);
    for (body, status) in [
        (deep.clone(), 400),
        (format!(r#"{{"operation":{deep}}}"#), 400),
        (format!(r#"{{"operation":{{"type":"node.os.get","data":{{"{long}":1}}}},"target":"_any"}}"#), 422),
        (format!(r#"{{"operation":{{"type":"{long}"}},"target":"_any"}}"#), 422),
        (format!(r#"{{"operation":{{"type":"node.os.get"}},"target":"{long}"}}"#), 422),
    ] {
        let answer = post("/api/v1/jobs").json(&body).to(&app).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.len() < 1000, "a problem does not grow with the request");
    }
}
