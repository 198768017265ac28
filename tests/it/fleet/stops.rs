//! Processes that are asked to stop: what they run is finished, handed back or ended, and nothing waits for a lease.

use serde_json::{Value, json};

use super::scene::{Fleet, error_kind, hosts, id, slow_read, until, worker_in};
use crate::server::{Script, gone};

/// No lease ends in these tests by itself.
fn fleet() -> Fleet {
    Fleet::new().with("OSAPI_JOB__DEFAULTS__LEASE", "1h").with("OSAPI_JOB__WORKER__GRACE", "1s")
}

#[test]
fn a_stopping_worker_hands_its_reads_to_another_one_without_burning_an_attempt() {
    let fleet = fleet();
    let api = fleet.api();
    let stops = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let job = api.client.submit(&slow_read(5), "_any", &[]);
    assert_eq!(api.runs_on(id(&job)), "web-1");
    let _other = fleet.worker("web-2");
    assert_eq!(stops.process.stop().code(), Some(0));
    api.sees(&["web-2"]);
    let ended = api.client.ended(id(&job));
    assert_eq!((hosts(&ended), &ended["executions"][0]["attempt"]), (vec![("web-2", "completed")], &json!(1)));
    assert_eq!(api.page().sum("osapi_jobs_redelivered_total"), 0.0, "no lease was lost");
}

#[test]
fn a_stopping_worker_ends_its_commands_and_says_so() {
    let fleet = fleet();
    let api = fleet.api();
    let stops = fleet.worker("web-1");
    let _other = fleet.worker("web-2");
    api.sees(&["web-1", "web-2"]);
    let script = Script::new(&fleet.desk);
    let job = api.client.submit(&script.then("echo so far; exec sleep 600"), "web-1", &[]);
    let group = script.started();
    assert_eq!(stops.process.stop().code(), Some(0));
    gone(group);
    let ended = api.client.ended(id(&job));
    assert_eq!((&ended["status"], error_kind(&ended)), (&json!("failed"), &json!("interrupted")));
    assert_eq!((script.starts(), &ended["executions"][0]["result"]["stdout"]), (1, &json!("so far\n")));
}

#[test]
fn what_waits_for_a_host_waits_for_its_next_worker() {
    let fleet = fleet();
    let api = fleet.api();
    let stops = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let job = api.client.submit(&slow_read(5), "web-1", &[]);
    api.runs_on(id(&job));
    assert_eq!(stops.process.stop().code(), Some(0));
    api.sees(&[]);
    until("it waits again", || (api.job(id(&job))?["status"] == "queued").then_some(()));
    let _next = worker_in(fleet.worker_home("web-1"));
    let ended = api.client.ended(id(&job));
    assert_eq!((hosts(&ended), &ended["executions"][0]["attempt"]), (vec![("web-1", "completed")], &json!(1)));
}

#[test]
fn a_stopping_api_process_answers_those_who_wait_and_the_fleet_goes_on() {
    let fleet = fleet();
    let (stops, stays) = (fleet.api(), fleet.api());
    let _worker = fleet.worker("web-1");
    stops.sees(&["web-1"]);
    stays.sees(&["web-1"]);
    let body = json!({ "operation": slow_read(3), "target": "_any" });
    let client = stops.client.clone();
    let answer: Value = std::thread::scope(|scope| {
        let asked = scope.spawn(|| client.post_with("/api/v1/jobs", &[("prefer", "wait=60")], &body).expect(201));
        until("it runs", || (stays.client.stats()["by_status"]["running"] == 1).then_some(()));
        assert_eq!(stops.process.stop().code(), Some(0));
        asked.join().unwrap()
    });
    assert_eq!(hosts(&stays.client.ended(id(&answer))), [("web-1", "completed")]);
}
