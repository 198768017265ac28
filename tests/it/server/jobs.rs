//! Jobs from acceptance to deletion, over HTTP, on this host.

use std::thread;

use osapi::domain::OperationKind;
use serde_json::{Value, json};

use super::Home;

/// The operations that read a host and take no input.
pub(crate) fn reads() -> impl Iterator<Item = &'static str> {
    OperationKind::ALL.into_iter().map(OperationKind::name).filter(|name| name.starts_with("node."))
}

#[test]
fn every_read_operation_completes_and_is_counted_once() {
    let home = Home::new();
    let (_server, client) = home.serve();
    for name in reads() {
        let job = client.submit(&json!({ "type": name }), "_any", &[("prefer", "wait=30")]);
        assert_eq!(job["status"], "completed", "{job}");
        let execution = &job["executions"][0];
        assert_eq!((&execution["worker"], &execution["attempt"]), (&json!("web-1"), &json!(1)));
        assert!(execution["result"].is_object() && execution["error"].is_null(), "{job}");
    }
    let page = client.metrics();
    for name in reads() {
        let one = Some(1.0);
        assert_eq!(page.value("osapi_jobs_created_total", &[("operation", name)]), one, "{name}");
        let completed = [("operation", name), ("status", "completed")];
        assert_eq!(page.value("osapi_jobs_completed_total", &completed), one, "{name}");
        assert_eq!(page.value("osapi_job_duration_seconds_count", &completed), one, "{name}");
    }
    let processed = [("status", "completed"), ("worker", "web-1")];
    assert_eq!(page.value("osapi_worker_jobs_processed_total", &processed), Some(7.0));
    assert_eq!(page.value("osapi_ledger_jobs_created_total", &[]), Some(7.0));
}

#[test]
fn the_answer_to_a_submit_is_the_whole_job_and_its_place() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let body =
        json!({ "operation": { "type": "node.hostname.get", "data": {} }, "target": "web-1", "timeout_seconds": 5 });
    let answer = client.post_with("/api/v1/jobs", &[("prefer", "wait=10")], &body);
    let job = answer.expect(201);
    let place = answer.header("location");
    assert_eq!(place, format!("/api/v1/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(client.get(place).expect(200), job);
    let result = &job["executions"][0]["result"];
    assert_eq!(result, &json!({ "hostname": "web-1", "labels": { "group": "web.dev.eu" } }));
    assert_eq!(job["created_by"], "operator");
    let events: Vec<&Value> = job["timeline"].as_array().unwrap().iter().map(|entry| &entry["event"]).collect();
    assert_eq!(events, ["created", "started", "completed"]);
}

#[test]
fn targets_are_resolved_when_the_job_is_accepted() {
    let home = Home::new();
    let (_server, client) = home.serve();
    for target in ["_any", "_all", "web-1", "WEB-1", "group:web", "group:web.dev", "group:web.dev.eu"] {
        let job = client.submit(&json!({ "type": "node.uptime.get" }), target, &[("prefer", "wait=30")]);
        assert_eq!((&job["status"], job["executions"].as_array().unwrap().len()), (&json!("completed"), 1), "{target}");
    }
    for target in ["web-2", "group:we", "group:web.dev.eu.west", "rack:web"] {
        let body = json!({ "operation": { "type": "node.uptime.get" }, "target": target });
        let problem = client.post("/api/v1/jobs", &body).problem(422);
        assert_eq!(problem["errors"][0]["field"], "target", "{problem}");
    }
    assert_eq!(client.stats()["ledger"]["created"], 7);
}

#[test]
fn one_idempotency_key_makes_one_job_also_after_a_restart() {
    let home = Home::new();
    let (server, client) = home.serve();
    let body = json!({ "operation": { "type": "node.load.get" }, "target": "_any" });
    let headers = [("idempotency-key", "nightly-1")];
    let answers: Vec<_> = thread::scope(|scope| {
        let posts: Vec<_> =
            (0..100).map(|_| scope.spawn(|| client.post_with("/api/v1/jobs", &headers, &body))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    let id = answers[0].json()["id"].clone();
    assert!(answers.iter().all(|answer| answer.json()["id"] == id));
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let replayed = answers.iter().find(|answer| answer.status == 200).unwrap();
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    assert_eq!(client.stats()["ledger"]["created"], 1);

    server.kill();
    let (_server, client) = home.serve();
    let replayed = client.post_with("/api/v1/jobs", &headers, &body);
    assert_eq!(replayed.expect(200)["id"], id);
    let other = json!({ "operation": { "type": "node.load.get" }, "target": "_all" });
    let problem = client.post_with("/api/v1/jobs", &headers, &other).problem(422);
    assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    let somebody_else = client.with_token(Some(&{
        let made = home.run(&["token", "generate", "--role", "write", "--subject", "somebody else"]);
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }));
    assert_ne!(somebody_else.post_with("/api/v1/jobs", &headers, &body).expect(201)["id"], id);
}

#[test]
fn lists_are_newest_first_filtered_and_paged_by_cursor() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let ids: Vec<String> = (0..7)
        .map(|number| {
            let name = if number % 2 == 0 { "node.os.get" } else { "node.load.get" };
            let job = client.submit(&json!({ "type": name }), "_any", &[("prefer", "wait=30")]);
            job["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut listed = Vec::new();
    let mut path = "/api/v1/jobs?limit=3".to_owned();
    loop {
        let page = client.get(&path).expect(200);
        listed.extend(page["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        assert!(page["items"].as_array().unwrap().len() <= 3);
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/jobs?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(listed, ids.iter().rev().cloned().collect::<Vec<_>>());
    for (filter, expected) in [
        ("operation=node.os.get", 4),
        ("status=completed&operation=node.load.get", 3),
        ("worker=web-1", 7),
        ("target=_any", 7),
        ("target=_all", 0),
        ("status=failed", 0),
    ] {
        let page = client.get(&format!("/api/v1/jobs?limit=100&{filter}")).expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), expected, "{filter}");
    }
}

#[test]
fn a_job_is_retried_as_a_new_one_and_deleted_only_after_its_end() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let job = client.submit(&json!({ "type": "node.os.get" }), "web-1", &[("prefer", "wait=30")]);
    let place = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let again = client.post(&format!("{place}/retry"), &json!({})).expect(201);
    assert_eq!((&again["retried_from"], &again["target"]), (&job["id"], &json!("web-1")));
    let again = client.ended(again["id"].as_str().unwrap());
    assert_eq!(again["status"], "completed");
    client.post(&format!("{place}/cancel"), &json!({})).problem(409);
    assert_eq!(client.delete(&place).status, 204);
    client.get(&place).problem(404);
    client.delete(&place).problem(404);
    assert_eq!(client.stats()["ledger"]["created"], 2, "a deletion changes no lifetime total");

    client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    let waiting = client.submit(&json!({ "type": "node.os.get" }), "_any", &[]);
    client.delete(&format!("/api/v1/jobs/{}", waiting["id"].as_str().unwrap())).problem(409);
}

#[test]
fn a_draining_worker_claims_nothing_and_what_is_cancelled_meanwhile_never_runs() {
    let home = Home::new();
    let (server, client) = home.serve();
    let drained = client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    assert_eq!(drained["state"], "draining");
    let cancelled = client.submit(&json!({ "type": "node.os.get" }), "_any", &[]);
    let kept = client.submit(&json!({ "type": "node.os.get" }), "_all", &[("prefer", "wait=0")]);
    let stats = client.stats();
    assert_eq!(stats["queue"]["depth"], 2);
    assert!(stats["queue"]["oldest_age_seconds"].as_f64().unwrap() > 0.0);
    let page = client.metrics();
    assert_eq!(page.value("osapi_queue_depth", &[]), Some(2.0));
    assert!(page.value("osapi_queue_oldest_job_age_seconds", &[]).unwrap() > 0.0);

    let place = format!("/api/v1/jobs/{}/cancel", cancelled["id"].as_str().unwrap());
    let cancelled = client.post(&place, &json!({})).expect(200);
    assert_eq!((&cancelled["status"], &cancelled["executions"][0]["attempt"]), (&json!("cancelled"), &json!(0)));

    // That the host drains is the operator's decision, and outlives the process.
    assert_eq!(server.stop().code(), Some(0));
    let (_server, client) = home.serve();
    assert_eq!(client.get("/api/v1/workers").expect(200)["items"][0]["state"], "draining");
    assert_eq!(client.stats()["queue"]["depth"], 1);
    client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    assert_eq!(client.ended(kept["id"].as_str().unwrap())["status"], "completed");
    let page = client.metrics();
    assert_eq!(page.value("osapi_queue_depth", &[]), Some(0.0));
    assert_eq!(page.value("osapi_queue_oldest_job_age_seconds", &[]), Some(0.0));
    assert_eq!(page.value("osapi_ledger_jobs_completed_total", &[("status", "cancelled")]), Some(1.0));
}
