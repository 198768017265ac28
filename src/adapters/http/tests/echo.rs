//! What a client sends never comes back in a problem, neither in its body nor in its headers. The one exception is a
//! request id that is harmless.

use poem::Body;

use super::{
    call::{Call, call, get, post},
    scene::{ID, Scene},
};

/// A word that the API does not know.
const WORD: &str = "sesame";

/// Requests with the word in every place that one has.
fn requests() -> Vec<Call> {
    let job = format!("/api/v1/jobs/{ID}");
    let submit = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
    let mut requests = vec![
        // The method and the path.
        call(WORD, "/api/v1/jobs").token("read"),
        call(WORD, "/nope"),
        get("/sesame"),
        get("/sesame%ff"),
        get("/api/v1/jobs/sesame"),
        get("/api/v1/jobs/sesame%ff"),
        get("/health/sesame"),
        call("DELETE", "/api/v1/jobs/sesame").token("write"),
        post("/api/v1/jobs/sesame/retry"),
        post("/api/v1/jobs/sesame/cancel"),
        post("/api/v1/workers/sesame_/drain"),
        post("/api/v1/workers/sesame_/undrain"),
        call("CONNECT", "sesame.example:443"),
        // Headers.
        call("GET", "/api/v1/jobs").header("authorization", "sesame"),
        call("GET", "/api/v1/jobs").header("authorization", "sesame abc"),
        call("GET", "/api/v1/jobs").token("sesame"),
        call("GET", "/api/v1/jobs").token("sesame.sesame.sesame"),
        call("GET", "/nope").header("x-request-id", "<sesame>"),
        call("GET", "/nope").header("origin", "https://sesame.example").header("host", "sesame"),
        call("GET", &job).header("prefer", "wait=sesame"),
        post("/api/v1/jobs").header("idempotency-key", "sesame sesame").json(submit),
        post("/api/v1/jobs").header("idempotency-key", "sesamé").json(submit),
        post("/api/v1/jobs").bytes("sesame", submit),
        post("/api/v1/jobs").bytes("text/sesame; charset=sesame", submit),
        // Bodies that cannot be read.
        post("/api/v1/jobs").json("sesame"),
        post("/api/v1/jobs").json(r#"{"sesame"#),
        post("/api/v1/jobs").json(r#"{"operation":sesame}"#),
        post("/api/v1/jobs").header("content-length", "9999999").body(Body::from("sesame")),
    ];
    requests.extend(
        ["limit", "status", "operation", "target", "worker", "cursor"]
            .iter()
            .flat_map(|name| {
                [format!("{name}=sesame_/"), format!("{name}=1&{name}=sesame"), format!("{name}=%ffsesame")]
            })
            .map(|query| get(&format!("/api/v1/jobs?{query}"))),
    );
    // Values and names in every place of a body that can be read, plain and dressed up as words of the parser.
    for word in [
        "open-sesame",
        "expected sesame",
        "`, expected sesame",
        "sesame at line 1 column 2",
        "sesame`, there are no fields",
    ] {
        let word = serde_json::to_string(word).expect("JSON");
        requests.extend(
            [
                word.clone(),
                format!("[{word}]"),
                format!("{{{word}:1}}"),
                format!(r#"{{"operation":{word},"target":"_any"}}"#),
                format!(r#"{{"operation":{{"type":{word}}},"target":"_any"}}"#),
                format!(r#"{{"operation":{{{word}:1}},"target":"_any"}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get","data":{word}}},"target":"_any"}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get","data":{{{word}:1}}}},"target":"_any"}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get"}},"target":[{word}]}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get"}},"target":{{{word}:{word}}}}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get"}},"target":"_any",{word}:{word}}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get"}},"target":"_any","timeout_seconds":{word}}}"#),
                format!(r#"{{"operation":{{"type":"node.os.get"}},"target":"_any","deadline_seconds":{word}}}"#),
            ]
            .map(|body| post("/api/v1/jobs").json(&body)),
        );
        let bodies = [word.clone(), format!("{{{word}:1}}"), format!(r#"{{"target":[{word}]}}"#)];
        requests.extend(bodies.map(|body| post(&format!("{job}/retry")).json(&body)));
    }
    for value in ["_sesame", "sesame:", "ses ame sesame"] {
        let body = format!(r#"{{"operation":{{"type":"node.os.get"}},"target":"{value}"}}"#);
        requests.push(post("/api/v1/jobs").json(&body));
    }
    requests
}

#[tokio::test]
async fn what_a_client_says_never_comes_back_in_a_problem() {
    let mut settings = Scene::new().settings;
    settings.allow_origins = vec!["https://ops.example".to_owned()];
    for settings in [Scene::new().settings, settings] {
        let mut scene = Scene::new();
        scene.settings = settings;
        let app = scene.app();
        for request in requests() {
            let sent = format!("{request:?}");
            let answer = request.to(&app).await;
            assert!((400..500).contains(&answer.status), "{sent}: {answer:?}");
            let said = format!("{:?} {}", answer.headers, answer.text());
            assert!(!said.to_ascii_lowercase().contains("sesam"), "{sent}: {said}");
        }
    }
}
