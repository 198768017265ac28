//! Who runs a job: decided when it is accepted, by whichever API process accepts it.

use serde_json::{Value, json};

use super::scene::{Fleet, hosts, id, read, slow_read, until};

#[test]
fn a_job_runs_on_exactly_the_hosts_that_its_target_means() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let _workers = [
        fleet.labelled("web-1", "group=web.dev,rack=7"),
        fleet.labelled("web-2", "group=web.prod,rack=8"),
        fleet.labelled("db-1", "group=db,rack=7"),
    ];
    let everybody = ["db-1", "web-1", "web-2"];
    first.sees(&everybody);
    second.sees(&everybody);
    for api in [&first, &second] {
        for (target, meant) in [
            ("_all", &everybody[..]),
            ("web-2", &["web-2"]),
            ("group:web", &["web-1", "web-2"]),
            ("group:web.prod", &["web-2"]),
            ("rack:7", &["db-1", "web-1"]),
        ] {
            let job = api.client.submit(&read(), target, &[("prefer", "wait=30")]);
            let expected: Vec<_> = meant.iter().map(|host| (*host, "completed")).collect();
            assert_eq!((&job["status"], hosts(&job)), (&json!("completed"), expected), "{target}");
        }
        let job = api.client.submit(&read(), "_any", &[("prefer", "wait=30")]);
        assert_eq!((&job["status"], hosts(&job).len()), (&json!("completed"), 1));
        for nobody in ["web-9", "group:we", "group:web.dev.eu"] {
            let body = json!({ "operation": read(), "target": nobody });
            assert_eq!(api.client.post("/api/v1/jobs", &body).problem(422)["errors"][0]["field"], "target");
        }
    }
    let stats = first.quiet();
    assert_eq!(stats["ledger"]["created"], 12);
    until("the other process knows as much", || (second.quiet()["ledger"] == stats["ledger"]).then_some(()));
}

#[test]
fn a_typed_call_answers_for_every_host_with_what_that_host_said() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let _workers = [fleet.labelled("web-1", "group=web.dev"), fleet.labelled("web-2", "group=web.prod")];
    api.sees(&["web-1", "web-2"]);
    for target in ["_all", "group:web"] {
        let said = api.client.get(&format!("/api/v1/nodes/{target}/hostname")).expect(200);
        assert_eq!(said["status"], "completed");
        let mut results: Vec<Value> = said["results"].as_array().unwrap().clone();
        results.sort_by_key(|result| result["hostname"].to_string());
        let expected: Vec<_> = [("web-1", "web.dev"), ("web-2", "web.prod")]
            .map(|(host, group)| {
                let data = json!({ "hostname": host, "labels": { "group": group } });
                json!({ "hostname": host, "status": "completed", "data": data })
            })
            .into();
        assert_eq!(results, expected);
    }
}

#[test]
fn one_host_that_fails_makes_a_partial_failure_that_says_which() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let _workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    api.sees(&["web-1", "web-2"]);
    // One of both finds the mark of the other, whoever comes first.
    let mark = fleet.desk.path("mark");
    let command = json!(["/bin/sh", "-c", format!("mkdir {}", mark.display())]);
    let said = api.client.post("/api/v1/nodes/_all/command/exec", &json!({ "command": command })).expect(200);
    assert_eq!(said["status"], "partial_failure");
    let mut statuses: Vec<_> = said["results"].as_array().unwrap().iter().map(|result| &result["status"]).collect();
    statuses.sort_by_key(ToString::to_string);
    assert_eq!(statuses, ["completed", "failed"]);
    let page = api.page();
    let labels = [("operation", "command.exec"), ("status", "partial_failure")];
    assert_eq!(page.value("osapi_jobs_completed_total", &labels), Some(1.0));
}

#[test]
fn a_worker_that_comes_later_runs_nothing_of_an_older_broadcast() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let _old = fleet.labelled("web-1", "group=web");
    api.sees(&["web-1"]);
    api.client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    let older = ["_all", "group:web", "web-1"].map(|target| api.client.submit(&read(), target, &[]));
    let late = fleet.labelled("web-2", "group=web");
    api.sees(&["web-1", "web-2"]);
    // It works, but not on them.
    let own = api.client.submit(&read(), "web-2", &[("prefer", "wait=30")]);
    assert_eq!(hosts(&own), [("web-2", "completed")]);
    for job in &older {
        assert_eq!(api.job(id(job)).unwrap()["status"], "queued");
    }
    api.client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    for job in &older {
        assert_eq!(hosts(&api.client.ended(id(job))), [("web-1", "completed")]);
    }
    late.comes_to("osapi_worker_jobs_processed_total", 1.0);
}

#[test]
fn a_job_for_any_host_waits_until_there_is_one() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let job = api.client.submit(&slow_read(0), "_any", &[]);
    let body =
        json!({ "operation": { "type": "command.exec", "data": { "command": ["/bin/true"] } }, "target": "_any" });
    api.client.post("/api/v1/jobs", &body).problem(422);
    assert_eq!(api.job(id(&job)).unwrap()["status"], "queued");
    let _worker = fleet.worker("web-1");
    assert_eq!(hosts(&api.client.ended(id(&job))), [("web-1", "completed")]);
}
