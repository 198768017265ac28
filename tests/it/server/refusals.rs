//! Bad input, sent to a real server: a clear refusal each time, nothing stored, no 500, and the server goes on.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::Home;

fn field(problem: &Value) -> &str {
    problem["errors"][0]["field"].as_str().unwrap_or_default()
}

#[test]
fn bad_jobs_are_refused_with_the_name_of_the_field_and_nothing_is_stored() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let good = json!({ "type": "node.os.get" });
    for (body, wrong) in [
        (json!({ "operation": { "type": "node.nope" }, "target": "_any" }), "operation.type"),
        (json!({ "operation": {}, "target": "_any" }), "operation.type"),
        (json!({ "operation": { "type": "node.os.get", "data": { "a": 1 } }, "target": "_any" }), "operation.data.a"),
        (json!({ "operation": good, "target": 5 }), "target"),
        (json!({ "operation": good, "target": "_some" }), "target"),
        (json!({ "operation": good }), "target"),
        (json!({ "target": "_any" }), "operation"),
        (json!({ "operation": good, "target": "web-9" }), "target"),
        (json!({ "operation": good, "target": "_any", "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "operation": good, "target": "_any", "timeout_seconds": 3601 }), "timeout_seconds"),
        (json!({ "operation": good, "target": "_any", "timeout_seconds": "5" }), "timeout_seconds"),
        (json!({ "operation": good, "target": "_any", "deadline_seconds": 86_401 }), "deadline_seconds"),
        (
            json!({ "operation": good, "target": "_any", "timeout_seconds": 9, "deadline_seconds": 8 }),
            "timeout_seconds",
        ),
        (json!({ "operation": good, "target": "_any", "surprise": 1 }), "surprise"),
    ] {
        let problem = client.post("/api/v1/jobs", &body).problem(422);
        assert_eq!(field(&problem), wrong, "{body}: {problem}");
    }
    assert_eq!(client.stats()["ledger"]["created"], 0);
}

#[test]
fn bad_requests_are_refused_before_anything_happens() {
    let home = Home::new();
    let (server, client) = home.serve();
    let json = [("content-type", "application/json")];
    let job = br#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
    let send = |method, path, headers: &[(&str, &str)], body: &[u8]| client.send(method, path, headers, body);

    send("POST", "/api/v1/jobs", &json, b"{").problem(400);
    send("POST", "/api/v1/jobs", &json, b"").problem(400);
    send("POST", "/api/v1/jobs", &[("content-type", "text/plain")], job).problem(415);
    send("POST", "/api/v1/jobs", &[], job).problem(415);
    send("POST", "/api/v1/jobs", &json, &vec![b' '; (1 << 20) + 1]).problem(413);
    let key = [json[0], ("idempotency-key", "")];
    assert_eq!(field(&send("POST", "/api/v1/jobs", &key, job).problem(400)), "Idempotency-Key");
    for query in ["limit=0", "limit=101", "limit=x", "status=done", "operation=nope", "target=%20", "worker=a_b"] {
        let problem = client.get(&format!("/api/v1/jobs?{query}")).problem(400);
        assert_eq!(field(&problem), query.split_once('=').unwrap().0, "{problem}");
    }
    for cursor in ["x", "01a21227e52f471a89ccbbeb9d4aa04c", "01a21227-e52f-771a-89cc-bbeb9d4aa04c"] {
        assert_eq!(field(&client.get(&format!("/api/v1/jobs?cursor={cursor}")).problem(400)), "cursor");
    }
    for id in ["1", "01a21227-e52f-471a-89cc-bbeb9d4aa04c", "%00", "..%2f"] {
        assert_eq!(field(&client.get(&format!("/api/v1/jobs/{id}")).problem(400)), "id", "{id}");
    }
    client.get("/api/v1/jobs/01a21227-e52f-771a-89cc-bbeb9d4aa04c").problem(404);
    client.get("/nothing/here").problem(404);
    let refused = send("PUT", "/api/v1/jobs", &json, job);
    refused.problem(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, POST");
    client.post("/api/v1/workers/web-9/drain", &json!({})).problem(404);

    let page = client.metrics();
    assert_eq!(page.value("osapi_ledger_jobs_created_total", &[]), Some(0.0));
    assert!(
        page.samples("http_server_request_total")
            .all(|sample| { !sample.labels["http_response_status_code"].starts_with('5') })
    );
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[test]
fn a_token_that_proves_too_little_is_refused() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let body = json!({ "operation": { "type": "node.os.get" }, "target": "_any" });
    client.with_token(Some(&home.token("read"))).post("/api/v1/jobs", &body).problem(403);
    client.with_token(Some(&home.token("write"))).post("/api/v1/jobs", &body).expect(201);
    let other = Home::new();
    other.make_key();
    for token in [None, Some("nonsense"), Some(other.token("admin").as_str())] {
        client.with_token(token).post("/api/v1/jobs", &body).problem(401);
    }
    let page = client.metrics();
    for (reason, expected) in [("scope", 1.0), ("missing", 1.0), ("malformed", 1.0), ("signature", 1.0)] {
        assert_eq!(page.value("osapi_auth_rejections_total", &[("reason", reason)]), Some(expected), "{reason}");
    }
}

#[test]
fn a_refusal_that_reads_no_body_leaves_the_connection_usable_or_says_that_it_ends() {
    let home = Home::new();
    let (server, client) = home.serve();
    let address = server.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |head: &str, body: &[u8]| {
        // The head alone first: the refusal is on its way before the body is.
        stream.write_all(format!("POST /api/v1/jobs HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n").as_bytes()).unwrap();
        // A server that has closed takes no more; its answer is there all the same.
        let _ = stream.write_all(body);
        let answer: Vec<String> =
            lines.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let length = answer.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        lines.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
        (answer[0].clone(), answer.contains(&"connection: close".to_owned()))
    };
    let body = vec![b' '; 300_000];
    for _ in 0..3 {
        let (status, ends) = ask("content-length: 300000", &body);
        assert_eq!((status.as_str(), ends), ("HTTP/1.1 401 Unauthorized", false));
    }
    let (status, ends) = ask("content-length: 300000\r\nexpect: 100-continue", &[]);
    assert_eq!((status.as_str(), ends), ("HTTP/1.1 401 Unauthorized", true), "nobody said that the body is wanted");
    drop(client);
}
