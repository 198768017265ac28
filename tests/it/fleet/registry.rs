//! Workers as all API processes see them: who they are, who may have a name, and who gets no more work.

use serde_json::{Value, json};

use super::scene::{Fleet, hosts, id, read, slow_read, until, worker_in};

#[test]
fn every_api_process_lists_every_worker_with_its_labels_and_version() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let _plain = worker_in(
        fleet.worker_home("db-1").with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "").with("OSAPI_JOB__WORKER__SLOTS", "3"),
    );
    let web = fleet.labelled("web-1", "group=web.dev,number=007");
    for api in [&first, &second] {
        api.sees(&["db-1", "web-1"]);
        let workers = api.client.get("/api/v1/workers").expect(200)["items"].clone();
        let shown = |index: usize| {
            let worker: &Value = &workers[index];
            assert!(worker["started_at"].is_string() && worker["last_heartbeat_at"].is_string(), "{worker}");
            assert_eq!((&worker["version"], &worker["state"]), (&json!(env!("CARGO_PKG_VERSION")), &json!("ready")));
            assert_eq!(worker["slots_used"], 0);
            ["hostname", "slots", "commands_enabled"].map(|field| worker[field].clone())
        };
        assert_eq!(shown(0), [json!("db-1"), json!(3), json!(false)]);
        assert_eq!(shown(1), [json!("web-1"), json!(10), json!(true)]);
        assert_eq!(workers[1]["labels"], json!({ "group": "web.dev", "number": "007" }));
    }
    assert_eq!(web.process.stop().code(), Some(0));
    for api in [&first, &second] {
        api.sees(&["db-1"]);
    }
}

#[test]
fn a_drained_worker_in_another_process_finishes_what_it_runs_and_takes_nothing_more() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let worker = fleet.worker("web-1");
    first.sees(&["web-1"]);
    second.sees(&["web-1"]);
    let running = first.client.submit(&slow_read(2), "_any", &[]);
    first.runs_on(id(&running));
    let drained = second.client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    assert_eq!((&drained["hostname"], &drained["state"]), (&json!("web-1"), &json!("draining")));
    // It has free slots, and knows by the time of the answer that it may not use them.
    let waiting = ["_any", "web-1", "_all"].map(|target| first.client.submit(&read(), target, &[]));
    assert_eq!(hosts(&first.client.ended(id(&running))), [("web-1", "completed")]);
    until("both say that it drains", || {
        let drains = |client: &crate::server::Client| {
            client.get("/api/v1/workers").expect(200)["items"][0]["state"] == "draining"
        };
        (drains(&first.client) && drains(&second.client)).then_some(())
    });
    worker.comes_to("osapi_worker_jobs_processed_total", 1.0);
    worker.comes_to("osapi_jobs_active", 0.0);
    for job in &waiting {
        assert_eq!(first.job(id(job)).unwrap()["status"], "queued");
    }
    // Whoever is told first: it need not be the one that was asked before.
    first.client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    for job in &waiting {
        assert_eq!(hosts(&second.client.ended(id(job))), [("web-1", "completed")]);
    }
}

#[test]
fn a_worker_started_right_after_its_predecessor_was_killed_has_its_name_and_its_work_at_once() {
    // Long leases: that they end is not what helps here.
    let fleet = Fleet::new().with("OSAPI_JOB__DEFAULTS__LEASE", "1h");
    let api = fleet.api();
    let first = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let job = api.client.submit(&slow_read(2), "web-1", &[]);
    api.runs_on(id(&job));
    let home = first.kill();
    let second = worker_in(home);
    let job = api.client.ended(id(&job));
    assert_eq!(hosts(&job), [("web-1", "completed")]);
    assert_eq!(job["executions"][0]["attempt"], 2);
    second.comes_to("osapi_worker_jobs_processed_total", 1.0);
    assert_eq!(api.workers(), ["web-1"]);
    api.comes_to("osapi_workers_connected", 1.0);
}

#[test]
fn a_second_worker_with_the_name_of_a_live_one_does_not_start() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let first = fleet.worker("web-1");
    let refused = fleet.worker_home("web-1").run(&["job", "worker", "start"]);
    assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(1), &b""[..]));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("web-1"), "{said}");
    // The first has lost nothing by it.
    let job = api.client.submit(&read(), "web-1", &[("prefer", "wait=30")]);
    assert_eq!(hosts(&job), [("web-1", "completed")]);
    first.comes_to("osapi_worker_jobs_processed_total", 1.0);
}
