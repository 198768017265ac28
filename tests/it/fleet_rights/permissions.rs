//! Everything that a fleet does, with the permissions that ship: all of it works, and all of them are needed.

use serde_json::{Value, json};

use super::{
    installation::{API, WORKER, as_user, at, named, server, shipped, start_api, start_worker, until},
    wire::{Wire, allowed, allows},
};
use crate::server::Client;

/// What only a change of the configured copies needs, and what only a loss does. Both are shown elsewhere, the first with
/// a cluster.
const RARE: [&str; 6] = [
    // Asked by the client when a connection was lost while it followed.
    "$JS.API.CONSUMER.INFO.osapi-state.*",
    "$JS.API.CONSUMER.INFO.osapi-workers.*",
    "$JS.API.STREAM.UPDATE.osapi-state",
    "$JS.API.STREAM.UPDATE.osapi-work",
    "$JS.API.STREAM.UPDATE.osapi-workers",
    // Where hints for something older than an execution wait, and its own is lost.
    "$JS.API.STREAM.MSG.GET.osapi-work",
];

fn command(text: &str) -> Value {
    json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", text], "timeout_seconds": 60 } })
}

fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

fn runs(client: &Client, id: &str) {
    until("it runs", || client.get(&format!("/api/v1/jobs/{id}")).expect(200)["status"] == "running");
}

fn completes(client: &Client, operation: &Value, target: &str) -> Value {
    let job = client.ended(id(&client.submit(operation, target, &[])));
    assert_eq!(job["status"], "completed", "{job}");
    job
}

#[test]
fn a_fleet_works_with_the_permissions_that_ship_and_needs_each_of_them() {
    let server = server(&shipped());
    let (api_wire, worker_wire) = (Wire::to(&server.url()), Wire::to(&server.url()));
    let api_home = as_user(at(&api_wire.url), API);
    let worker = |hostname| named(as_user(at(&worker_wire.url), WORKER), hostname);
    let (web_1, web_2) = (worker("web-1"), worker("web-2").with("OSAPI_JOB__WORKER__GRACE", "0s"));

    // The first start makes the streams, one with other ages changes them.
    let home = start_api(api_home).home.with("OSAPI_JOB__RETENTION__AGE", "2d");
    let api = start_api(home);
    let client = api.client.clone();
    let (first, second) = (start_worker(web_1), start_worker(web_2));
    api.sees(&["web-1", "web-2"]);

    let read = json!({ "type": "node.uptime.get" });
    completes(&client, &read, "_any");
    completes(&client, &read, "web-2");
    assert_eq!(completes(&client, &read, "_all")["executions"].as_array().unwrap().len(), 2);
    completes(&client, &command("true"), "web-1");
    completes(&client, &command("true"), "_any");

    // Keys, and removal.
    let once = client.submit(&read, "_any", &[("idempotency-key", "k")]);
    let body = json!({ "operation": read, "target": "_any" });
    let again = client.post_with("/api/v1/jobs", &[("idempotency-key", "k")], &body);
    assert_eq!((again.status, &again.json()["id"]), (200, &once["id"]), "{}", again.body);
    client.ended(id(&once));
    client.delete(&format!("/api/v1/jobs/{}", id(&once)));

    // A command is cancelled while it runs, on one host and on all.
    for target in ["web-1", "_all"] {
        let job = client.submit(&command("sleep 60"), target, &[]);
        runs(&client, id(&job));
        client.post(&format!("/api/v1/jobs/{}/cancel", id(&job)), &json!({})).expect(200);
        assert_eq!(client.ended(id(&job))["status"], "cancelled");
    }

    // A host is taken out of work and back.
    client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    for _ in 0..4 {
        assert_eq!(completes(&client, &read, "_any")["executions"][0]["worker"], "web-2");
    }
    client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);

    // A second live worker is refused, and the successor of one that was killed is not.
    let refused = worker("web-1").run(&["job", "worker", "start"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("another live worker has the hostname web-1"), "{said}");
    first.process.kill();
    let first = start_worker(first.home);
    completes(&client, &read, "web-1");

    // What a worker runs when it has to stop goes back to the queue.
    let ping = json!({ "type": "network.ping", "data": { "address": "127.0.0.1", "count": 8, "timeout_seconds": 16 } });
    client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    let pings = ["web-2", "_any"].map(|target| client.submit(&ping, target, &[]));
    for job in &pings {
        runs(&client, id(job));
    }
    assert_eq!(second.process.stop().code(), Some(0));
    for job in &pings {
        until("it waits again", || client.get(&format!("/api/v1/jobs/{}", id(job))).expect(200)["status"] == "queued");
    }
    client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    let said = std::fs::read_to_string(second.home.path("log")).unwrap();
    let second = start_worker(second.home);
    for job in &pings {
        assert_eq!(client.ended(id(job))["status"], "completed");
    }

    for said in [api.process.log(), first.process.log(), second.process.log(), said] {
        assert!(!said.contains("lacks a permission"), "{said}");
    }
    let file = shipped();
    for (user, wire) in [(API.0, &api_wire), (WORKER.0, &worker_wire)] {
        let heard = wire.heard();
        for (verb, seen) in [("publish", &heard.published), ("subscribe", &heard.subscribed)] {
            let list = allowed(&file, user, verb);
            let unlisted: Vec<_> =
                seen.iter().filter(|subject| !list.iter().any(|pattern| allows(pattern, subject))).collect();
            assert_eq!(unlisted, Vec::<&String>::new(), "{user} {verb}");
            let unused: Vec<_> = list
                .iter()
                .filter(|pattern| !RARE.contains(&pattern.as_str()))
                .filter(|pattern| !seen.iter().any(|subject| allows(pattern, subject)))
                .collect();
            assert_eq!(unused, Vec::<&String>::new(), "{user} {verb}, of {seen:#?}");
        }
    }
}
