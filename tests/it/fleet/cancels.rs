//! Cancelling across processes: the API process that is asked, the one that accepted, and the worker are three.

use rustix::process::Signal;
use serde_json::json;

use super::scene::{Fleet, error_kind, hosts, id, read, slow_read, sum, until};
use crate::server::{Script, gone};

#[test]
fn a_command_is_gone_with_its_children_when_another_api_process_cancels_it() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let worker = fleet.worker("web-1");
    first.sees(&["web-1"]);
    second.sees(&["web-1"]);
    let script = Script::new(&fleet.desk);
    let family = "trap '' TERM; (trap '' TERM; sleep 600) & echo waiting; while :; do sleep 600; done";
    let job = first.client.submit(&script.then(family), "_any", &[]);
    let group = script.started();
    second.runs_on(id(&job));
    let asked = second.client.post(&format!("/api/v1/jobs/{}/cancel", id(&job)), &json!({})).expect(200);
    assert!(asked["cancel_requested_at"].is_string(), "{asked}");
    let ended = first.client.ended(id(&job));
    gone(group);
    assert_eq!((&ended["status"], script.starts()), (&json!("cancelled"), 1));
    assert_eq!(ended["executions"][0]["result"]["stdout"], "waiting\n");
    until("the other one knows", || (second.job(id(&job))? == ended).then_some(()));
    worker.comes_to("osapi_jobs_active", 0.0);
    assert_eq!(worker.page().sum("osapi_stale_results_total"), 0.0);
    for api in [&first, &second] {
        let used = || api.page().value("osapi_worker_slots_used", &[("worker", "web-1")]);
        until("the slot is free", || (used() == Some(0.0)).then_some(()));
        api.client.post(&format!("/api/v1/jobs/{}/cancel", id(&job)), &json!({})).problem(409);
    }
}

#[test]
fn what_waits_is_cancelled_at_once_and_never_runs() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let worker = fleet.worker("web-1");
    first.sees(&["web-1"]);
    second.sees(&["web-1"]);
    first.client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);
    let jobs = ["_any", "web-1", "_all"].map(|target| first.client.submit(&read(), target, &[]));
    for job in &jobs {
        until("the other one knows the job", || second.job(id(job)));
        let cancelled = second.client.post(&format!("/api/v1/jobs/{}/cancel", id(job)), &json!({})).expect(200);
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(first.client.ended(id(job))["status"], "cancelled");
    }
    first.client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    let after = first.client.submit(&read(), "web-1", &[("prefer", "wait=30")]);
    assert_eq!(after["status"], "completed");
    worker.comes_to("osapi_worker_jobs_processed_total", 1.0);
}

#[test]
fn a_broadcast_that_is_cancelled_ends_on_every_host() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    first.sees(&["web-1", "web-2"]);
    let job = first.client.submit(&slow_read(14), "_all", &[]);
    let both_run = || (hosts(&second.job(id(&job))?) == [("web-1", "running"), ("web-2", "running")]).then_some(());
    until("both run it", both_run);
    second.client.post(&format!("/api/v1/jobs/{}/cancel", id(&job)), &json!({})).expect(200);
    let ended = first.client.ended(id(&job));
    assert_eq!(hosts(&ended), [("web-1", "cancelled"), ("web-2", "cancelled")]);
    let everybody = [&first, &second, &workers[0], &workers[1]];
    until("the broadcast is one job", || (sum(everybody, "osapi_jobs_completed_total") == 1.0).then_some(()));
}

#[test]
fn a_cancelled_command_of_a_frozen_worker_is_lost_and_its_result_counts_for_nothing() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let worker = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let script = Script::new(&fleet.desk);
    let job = api.client.submit(&script.then("exec sleep 600"), "_any", &[]);
    let group = script.started();
    worker.process.signal(Signal::STOP);
    api.client.post(&format!("/api/v1/jobs/{}/cancel", id(&job)), &json!({})).expect(200);
    let ended = api.client.ended(id(&job));
    assert_eq!((&ended["status"], error_kind(&ended)), (&json!("lost"), &json!("worker_lost")));
    worker.process.signal(Signal::CONT);
    // It learns that the run is not its own any more and ends it.
    gone(group);
    worker.comes_to("osapi_stale_results_total", 1.0);
    assert_eq!(api.job(id(&job)).unwrap(), ended);
    assert_eq!(script.starts(), 1);
}
