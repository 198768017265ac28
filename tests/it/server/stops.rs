//! A polite stop: everybody is answered, nothing is lost, the exit code is 0.

use std::{sync::mpsc, thread};

use rustix::process::Signal;
use serde_json::json;

use super::Home;

#[test]
fn a_waiting_request_is_answered_and_its_job_is_there_after_the_restart() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let (server, client) = home.serve();
        client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
        let waiting = {
            let client = client.clone();
            thread::spawn(move || client.submit(&json!({ "type": "node.os.get" }), "_any", &[("prefer", "wait=60")]))
        };
        client.stats_until(|stats| stats["queue"]["depth"] == 1);
        server.signal(signal);
        let answered = waiting.join().unwrap();
        assert_eq!(answered["status"], "queued");
        assert_eq!(server.ended().code(), Some(0));

        let (_server, client) = home.serve();
        client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
        assert_eq!(client.ended(answered["id"].as_str().unwrap())["status"], "completed");
    }
}

#[test]
fn every_request_under_load_is_answered_or_refused_but_never_half_done() {
    let home = Home::new();
    let (server, client) = home.serve();
    let (accepted, ids) = mpsc::channel();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (client, accepted) = (client.clone(), accepted.clone());
            thread::spawn(move || {
                let body = json!({ "operation": { "type": "node.uptime.get" }, "target": "_any" }).to_string();
                let headers = [("content-type", "application/json")];
                while let Ok(answer) = client.try_send("POST", "/api/v1/jobs", &headers, body.as_bytes()) {
                    let _ = accepted.send(answer.expect(201)["id"].as_str().unwrap().to_owned());
                }
            })
        })
        .collect();
    drop(accepted);
    let mut accepted: Vec<String> = ids.iter().take(50).collect();
    assert_eq!(server.stop().code(), Some(0));
    for client in clients {
        client.join().unwrap();
    }
    accepted.extend(ids);

    let (server, client) = home.serve();
    for id in &accepted {
        assert_eq!(client.ended(id)["status"], "completed");
    }
    let page = client.metrics();
    assert!(!server.log().contains("the process ended while these ran"), "{}", server.log());
    let completed = page.value("osapi_ledger_jobs_completed_total", &[("status", "completed")]);
    assert_eq!(page.value("osapi_ledger_jobs_created_total", &[]), completed);
}
