//! The typed calls for nodes.

use serde_json::json;

use super::Home;

#[test]
fn every_typed_read_answers_with_what_each_host_said() {
    let home = Home::new();
    let (_server, client) = home.serve();
    for (call, field) in [
        ("hostname", "labels"),
        ("status", "errors"),
        ("uptime", "uptime_seconds"),
        ("os", "kernel"),
        ("load", "load15"),
        ("memory", "total_bytes"),
        ("disk", "disks"),
    ] {
        for target in ["_any", "_all", "web-1", "group:web"] {
            let answer = client.get(&format!("/api/v1/nodes/{target}/{call}"));
            let said = answer.expect(200);
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!((&said["status"], said["results"].as_array().unwrap().len()), (&json!("completed"), 1));
            let result = &said["results"][0];
            assert_eq!((&result["hostname"], &result["status"]), (&json!("web-1"), &json!("completed")));
            assert!(!result["data"][field].is_null() && result.get("error").is_none(), "{said}");
            let job = client.get(&format!("/api/v1/jobs/{}", said["job_id"].as_str().unwrap())).expect(200);
            assert_eq!(job["operation"]["type"], format!("node.{call}.get"));
            assert_eq!(job["executions"][0]["result"], result["data"]);
        }
    }
}

#[test]
fn when_time_runs_out_the_answer_is_202_with_the_place_of_the_job() {
    let home = Home::new();
    let (_server, client) = home.serve();
    client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    for (target, host) in [("_any", json!(null)), ("web-1", json!("web-1"))] {
        for wait in ["0", "1"] {
            let answer = client.get(&format!("/api/v1/nodes/{target}/load?wait={wait}"));
            let said = answer.expect(202);
            assert_eq!(said["status"], "queued");
            assert_eq!(said["results"], json!([{ "hostname": host, "status": "queued" }]));
            let job = client.get(answer.header("location")).expect(200);
            assert_eq!(job["id"], said["job_id"]);
        }
    }
    assert_eq!(client.stats()["queue"]["depth"], 4);
    let page = client.metrics();
    let route = "/api/v1/nodes/{target}/load";
    assert_eq!(page.value("http_server_wait_duration_seconds_count", &[("http_route", route)]), Some(2.0));
    let labels = [("http_request_method", "GET"), ("http_response_status_code", "202"), ("http_route", route)];
    assert_eq!(page.value("http_server_request_total", &labels), Some(4.0));
    assert_eq!(page.value("http_server_request_duration_seconds_count", &labels), Some(2.0), "those that did not wait");
}

#[test]
fn a_typed_call_that_is_wrong_is_refused_by_field_and_makes_no_job() {
    let home = Home::new();
    let (_server, client) = home.serve();
    for (path, status, field) in [
        ("web-9/load", 422, "target"),
        ("group:db/load", 422, "target"),
        ("a_b/load", 400, "target"),
        ("web-1/load?wait=61", 400, "wait"),
        ("web-1/load?wait=-1", 400, "wait"),
        ("web-1/load?wait=soon", 400, "wait"),
    ] {
        let problem = client.get(&format!("/api/v1/nodes/{path}")).problem(status);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    client.get("/api/v1/nodes/web-1/temperature").problem(404);
    client.with_token(None).get("/api/v1/nodes/web-1/load").problem(401);
    client.with_token(Some(&home.token("read"))).get("/api/v1/nodes/web-1/load").expect(200);
    assert_eq!(client.stats()["ledger"]["created"], 1);
}

#[test]
fn the_network_calls_are_typed_and_refused_by_field() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let pinged =
        client.post("/api/v1/nodes/web-1/network/ping", &json!({ "address": "127.0.0.1", "count": 2 })).expect(200);
    let echoes = &pinged["results"][0]["data"];
    assert_eq!((&pinged["status"], &echoes["sent"], &echoes["received"]), (&json!("completed"), &json!(2), &json!(2)));
    assert_eq!(echoes["loss_ratio"], 0.0);
    let dns = client.get("/api/v1/nodes/_any/network/dns/lo").expect(200);
    assert!(dns["results"][0]["data"]["servers"].is_array(), "{dns}");
    let missing = client.get("/api/v1/nodes/web-1/network/dns/nope0").expect(200);
    let error = &missing["results"][0]["error"];
    assert_eq!((&missing["status"], &error["kind"]), (&json!("failed"), &json!("operation")));
    assert!(error["message"].as_str().unwrap().contains("nope0"), "{error}");

    let created = client.stats()["ledger"]["created"].clone();
    client.get("/api/v1/nodes/web-1/network/dns/-h").problem(400);
    client.get("/api/v1/nodes/web-1/network/dns/a%2fb").problem(400);
    for (body, field) in [
        (json!({ "address": "127.0.0.1", "count": 21 }), "count"),
        (json!({ "address": "127.0.0.1", "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "address": "-h" }), "address"),
        (json!({ "count": 1 }), "address"),
    ] {
        let problem = client.post("/api/v1/nodes/web-1/network/ping", &body).problem(422);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let put = |body: &serde_json::Value| {
        let headers = [("content-type", "application/json")];
        client.send("PUT", "/api/v1/nodes/web-1/network/dns/lo", &headers, body.to_string().as_bytes())
    };
    for (body, field) in [
        (json!({ "servers": ["1.2.3"] }), "servers[0]"),
        (json!({ "servers": [] }), "servers"),
        (json!({ "search_domains": ["a b"] }), "search_domains[0]"),
        (json!({ "interface": "lo", "servers": ["127.0.0.1"] }), "interface"),
        (json!({}), "body"),
    ] {
        let problem = put(&body).problem(422);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    client.with_token(Some(&home.token("read"))).post("/api/v1/nodes/_any/network/ping", &json!({})).problem(403);
    assert_eq!(client.stats()["ledger"]["created"], created);
}
