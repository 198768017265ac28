//! Idempotency keys: one job per key, whichever API processes are asked, and whatever happens to them.

use std::{collections::HashSet, thread};

use serde_json::json;

use super::scene::{Fleet, hosts, id, read, slow_read, sum, until};

#[test]
fn a_hundred_requests_with_one_key_over_two_api_processes_make_one_job() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let worker = fleet.worker("web-1");
    first.sees(&["web-1"]);
    second.sees(&["web-1"]);
    let body = json!({ "operation": read(), "target": "_any" });
    let answers: Vec<(u16, String)> = thread::scope(|scope| {
        let send = |number: usize| {
            let client = if number.is_multiple_of(2) { &first.client } else { &second.client };
            let answer = client.post_with("/api/v1/jobs", &[("idempotency-key", "once")], &body);
            assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.body);
            (answer.status, id(&answer.json()).to_owned())
        };
        let requests: Vec<_> = (0..100).map(|number| scope.spawn(move || send(number))).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    let ids: HashSet<&String> = answers.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(first.client.ended(&answers[0].1)["status"], "completed");
    for api in [&first, &second] {
        assert_eq!(api.quiet()["ledger"]["created"], 1);
    }
    assert_eq!(sum([&first, &second], "osapi_jobs_created_total"), 1.0);
    worker.comes_to("osapi_worker_jobs_processed_total", 1.0);
}

#[test]
fn two_api_processes_under_load_make_one_job_of_each_key() {
    const KEYS: usize = 120;
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let _workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    first.sees(&["web-1", "web-2"]);
    second.sees(&["web-1", "web-2"]);
    // Both processes get each key, from two clients each that go through them in opposite order.
    let made: Vec<Vec<(u16, String)>> = thread::scope(|scope| {
        let clients: Vec<_> = [(&first, false), (&first, true), (&second, false), (&second, true)]
            .map(|(api, backwards)| {
                scope.spawn(move || {
                    let mut made: Vec<(u16, String)> = (0..KEYS)
                        .map(|number| if backwards { KEYS - 1 - number } else { number })
                        .map(|number| {
                            let target = if number % 3 == 0 { "_all" } else { "_any" };
                            let body = json!({ "operation": read(), "target": target });
                            let key = format!("key-{number}");
                            let answer = api.client.post_with("/api/v1/jobs", &[("idempotency-key", &key)], &body);
                            assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.body);
                            (answer.status, id(&answer.json()).to_owned())
                        })
                        .collect();
                    if backwards {
                        made.reverse();
                    }
                    made
                })
            })
            .into();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for number in 0..KEYS {
        let of_key: Vec<_> = made.iter().map(|made| &made[number]).collect();
        assert!(of_key.iter().all(|(_, id)| *id == of_key[0].1), "key {number}: {of_key:?}");
        assert_eq!(of_key.iter().filter(|(status, _)| *status == 201).count(), 1, "key {number}: {of_key:?}");
    }
    for api in [&first, &second] {
        until("everything is known and has ended", || (api.quiet()["by_status"]["completed"] == KEYS).then_some(()));
        assert_eq!(api.client.stats()["ledger"]["created"], KEYS);
    }
}

#[test]
fn a_request_whose_api_process_was_killed_finds_its_job_at_the_other_one() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let worker = fleet.worker("web-1");
    first.sees(&["web-1"]);
    second.sees(&["web-1"]);
    let body = json!({ "operation": slow_read(2), "target": "_any" });
    let key = [("content-type", "application/json"), ("idempotency-key", "once"), ("prefer", "wait=60")];
    let client = first.client.clone();
    thread::scope(|scope| {
        let asked = scope.spawn(|| client.try_send("POST", "/api/v1/jobs", &key, body.to_string().as_bytes()));
        // Accepted, and not answered yet.
        until("the job is there", || (second.client.stats()["by_status"]["running"] == 1).then_some(()));
        first.kill();
        assert!(asked.join().unwrap().is_err(), "nobody answered");
    });
    let answer = second.client.post_with("/api/v1/jobs", &key[1..], &body);
    let job = answer.expect(200);
    assert_eq!(answer.header("idempotency-replayed"), "true");
    assert_eq!(hosts(&job), [("web-1", "completed")]);
    let other = json!({ "operation": read(), "target": "_any" });
    second.client.post_with("/api/v1/jobs", &key[1..2], &other).problem(422);
    assert_eq!(second.client.stats()["ledger"]["created"], 1);
    worker.comes_to("osapi_worker_jobs_processed_total", 1.0);
}

#[test]
fn api_processes_that_are_killed_under_load_lose_nothing_that_they_accepted() {
    const CLIENTS: usize = 4;
    let fleet = Fleet::new();
    let other = fleet.api();
    let _worker = fleet.worker("web-1");
    let body = json!({ "operation": read(), "target": "_any" }).to_string();
    let mut home = None;
    let mut keys: Vec<(String, Option<String>)> = Vec::new();
    for life in 0..3 {
        let api = home.map_or_else(|| fleet.api(), |home| fleet.api_in(home));
        let client = api.client.clone();
        let (answered, answers) = std::sync::mpsc::channel();
        home = Some(thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (answered, client, body) = (answered.clone(), client.clone(), &body);
                    scope.spawn(move || {
                        let mut keys = Vec::new();
                        for turn in 0.. {
                            let key = format!("{life}-{number}-{turn}");
                            let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
                            let Ok(answer) = client.try_send("POST", "/api/v1/jobs", &headers, body.as_bytes()) else {
                                keys.push((key, None));
                                return keys;
                            };
                            let id = id(&answer.expect(201)).to_owned();
                            keys.push((key, Some(id)));
                            // Whoever counts may have seen enough.
                            let _ = answered.send(());
                        }
                        unreachable!("it is killed")
                    })
                })
                .collect();
            answers.iter().take(20 + 30 * life).for_each(drop);
            let home = api.kill();
            keys.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
            home
        }));
    }
    let mut ids = HashSet::new();
    for (key, accepted) in &keys {
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let answer = other.client.send("POST", "/api/v1/jobs", &headers, body.as_bytes());
        let job = answer.json();
        match accepted {
            Some(accepted) => assert_eq!((answer.status, id(&job)), (200, accepted.as_str()), "{key}"),
            None => assert!(matches!(answer.status, 200 | 201), "{key}: {}", answer.body),
        }
        assert_eq!(other.client.ended(id(&job))["status"], "completed");
        assert!(ids.insert(id(&job).to_owned()), "{key}");
    }
    assert_eq!(other.quiet()["ledger"]["created"], keys.len());
}
