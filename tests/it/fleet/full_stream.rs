//! The server has no room left: what was accepted is kept, the rest is refused, and room that comes back is used.

use std::{collections::HashMap, fs, path::Path};

use serde_json::{Value, json};

use super::scene::{Fleet, id, read, until};
use crate::{
    queue::nats_server::NatsServer,
    server::{Answer, Client},
};

/// Room of the server, little enough to be filled soon.
const ROOM: &str = "jetstream { store_dir: STORE, max_file_store: 4MB }";
/// Enough for everything.
const MORE_ROOM: &str = "jetstream { store_dir: STORE, max_file_store: 64MB }";
/// Requests, more than fit into the room.
const BOUND: usize = 400;

/// Fills the server with commands that leave their mark in a file; returns the marks and ids of those that it took, and
/// the answer to the first that it did not take.
fn fill(client: &Client, starts: &Path) -> (HashMap<String, String>, Answer) {
    let ballast = "x".repeat(60_000);
    let mut accepted = HashMap::new();
    for number in 0..BOUND {
        let text = format!(": {ballast}; echo {number} >> {}", starts.display());
        let operation = json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", text] } });
        let answer = client.post("/api/v1/jobs", &json!({ "operation": operation, "target": "_any" }));
        if answer.status != 201 {
            return (accepted, answer);
        }
        accepted.insert(number.to_string(), id(&answer.json()).to_owned());
    }
    panic!("{BOUND} jobs fit into {ROOM}");
}

#[test]
fn a_full_server_refuses_jobs_and_loses_none_and_goes_on_when_it_gets_more_room() {
    let mut fleet = Fleet::on(NatsServer::with(ROOM)).with("OSAPI_JOB__WORKER__SLOTS", "1");
    let api = fleet.api();
    let worker = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let starts = fleet.desk.path("starts");
    let (accepted, refused) = fill(&api.client, &starts);
    let problem = refused.problem(507);
    assert!(problem.get("job_id").is_none(), "{problem}");
    let page = api.page();
    assert_eq!(page.sum("osapi_jobs_created_total"), f64::from(u32::try_from(accepted.len()).unwrap()));
    assert_eq!(page.value("osapi_jobs_rejected_total", &[("reason", "queue_failed")]), Some(1.0));
    // What was stored can be read.
    assert_eq!(api.client.stats()["ledger"]["created"], accepted.len());
    assert!(api.job(accepted.values().next().unwrap()).is_some());

    fleet.server.restart_with(MORE_ROOM);
    let after: Value = until("jobs are accepted again", || {
        let answer = api.client.post("/api/v1/jobs", &json!({ "operation": read(), "target": "_any" }));
        (answer.status == 201).then(|| answer.json())
    });
    assert_eq!(api.client.ended(id(&after))["status"], "completed");
    let figures = api.quiet();
    assert_eq!(figures["ledger"]["created"], accepted.len() + 1);
    let started = fs::read_to_string(&starts).unwrap();
    let mut lost = 0;
    for (mark, id) in &accepted {
        let job = api.client.ended(id);
        let times = started.lines().filter(|line| line == mark).count();
        match job["status"].as_str().unwrap() {
            "completed" => assert_eq!(times, 1, "{mark}"),
            // It ran when there was no room for its result.
            "lost" => {
                assert!(times <= 1, "{mark} started {times} times");
                lost += 1;
            }
            other => panic!("{mark} is {other}: {job}"),
        }
    }
    assert!(lost <= 1, "{lost} were lost by a worker with one slot");
    worker.comes_to("osapi_jobs_active", 0.0);
    // And jobs can be removed again.
    assert_eq!(api.client.delete(&format!("/api/v1/jobs/{}", id(&after))).status, 204);
}

/// Whether a job is taken again.
fn is_taken(client: &Client) -> Option<()> {
    let answer = client.post("/api/v1/jobs", &json!({ "operation": read(), "target": "_any" }));
    (answer.status == 201).then_some(())
}

#[test]
fn removing_jobs_gives_a_full_server_room_again() {
    let fleet = Fleet::on(NatsServer::with(ROOM)).with("OSAPI_JOB__WORKER__SLOTS", "1");
    let api = fleet.api();
    let _worker = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let (accepted, refused) = fill(&api.client, &fleet.desk.path("starts"));
    assert_eq!(refused.status, 507);
    let ended = |id: &&String| api.job(id).unwrap()["status"] == "completed";
    let old: Vec<&String> = accepted.values().filter(ended).collect();
    assert!(!old.is_empty());
    for id in &old {
        let answer = api.client.delete(&format!("/api/v1/jobs/{id}"));
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    until("jobs are accepted again", || is_taken(&api.client));
    for id in accepted.values().filter(|id| !old.contains(id)) {
        let status = &api.client.ended(id)["status"];
        assert!(["completed", "lost"].contains(&status.as_str().unwrap()), "{id} is {status}");
    }
}

#[test]
fn retention_gives_a_full_server_room_again_by_itself() {
    let fleet = Fleet::on(NatsServer::with(ROOM)).with("OSAPI_JOB__WORKER__SLOTS", "1");
    let api = fleet.api();
    let _worker = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let (accepted, refused) = fill(&api.client, &fleet.desk.path("starts"));
    assert_eq!(refused.status, 507);
    assert!(accepted.len() > 1);
    let shorter = fleet.with("OSAPI_JOB__RETENTION__AGE", "1s");
    let tidy = shorter.api();
    until("jobs are accepted again", || is_taken(&tidy.client));
    until("both take them", || is_taken(&api.client));
}
