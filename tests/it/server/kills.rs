//! The server is killed at any moment: what was accepted is there, and nothing is there twice.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use serde_json::json;

use super::Home;

/// Clients that submit at the same time.
const CLIENTS: usize = 8;
/// Lives of the server, and answers in each before it is killed.
const LIVES: [usize; 4] = [1, 17, 60, 200];

#[test]
fn no_accepted_job_is_lost_and_an_unanswered_one_exists_once_or_not_at_all() {
    let home = Home::new();
    let keys = AtomicUsize::new(0);
    let (accepted, unanswered) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let body = json!({ "operation": { "type": "node.uptime.get" }, "target": "_any" });
    for answers in LIVES {
        let (server, client) = home.serve();
        let (answered, count) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let (answered, client) = (answered.clone(), client.clone());
                let (keys, accepted, unanswered, body) = (&keys, &accepted, &unanswered, &body);
                scope.spawn(move || {
                    loop {
                        let key = format!("key-{}", keys.fetch_add(1, Ordering::Relaxed));
                        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
                        match client.try_send("POST", "/api/v1/jobs", &headers, body.to_string().as_bytes()) {
                            Ok(answer) => {
                                let id = answer.expect(201)["id"].as_str().unwrap().to_owned();
                                accepted.lock().unwrap().push((key, id));
                                // The killer may have seen enough.
                                let _ = answered.send(());
                            }
                            Err(_) => return unanswered.lock().unwrap().push(key),
                        }
                    }
                });
            }
            count.iter().take(answers).for_each(drop);
            server.kill();
        });
        let page_of_the_next_life = {
            let (_server, client) = home.serve();
            client.metrics()
        };
        let ledger = page_of_the_next_life.value("osapi_ledger_jobs_created_total", &[]).unwrap();
        assert!(ledger >= f64::from(u32::try_from(accepted.lock().unwrap().len()).unwrap()), "{ledger}");
    }

    let (_server, client) = home.serve();
    let (accepted, unanswered) = (accepted.into_inner().unwrap(), unanswered.into_inner().unwrap());
    assert!(accepted.len() >= LIVES.iter().sum());
    for (_, id) in &accepted {
        assert_eq!(client.ended(id)["status"], "completed", "{id}");
    }
    // The same key finds what the unanswered request made, or makes it now.
    let mut ids: HashSet<String> = accepted.iter().map(|(_, id)| id.clone()).collect();
    for (key, id) in accepted.iter().take(20) {
        let found = client.post_with("/api/v1/jobs", &[("idempotency-key", key)], &body).expect(200);
        assert_eq!(&found["id"], id);
    }
    for key in &unanswered {
        let answer = client.post_with("/api/v1/jobs", &[("idempotency-key", key)], &body);
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        assert!(ids.insert(answer.json()["id"].as_str().unwrap().to_owned()));
    }
    let stats = client.stats_until(|stats| stats["by_status"]["completed"] == ids.len());
    assert_eq!(stats["ledger"]["created"], ids.len());
    assert_eq!(stats["ledger"]["by_terminal_status"]["completed"], ids.len());
}
