//! Commands on a real server: promises about work that is slow, that fails, and that must never start twice.
//!
//! Each command counts its own starts in a file, and says in another that it has started; nothing here waits for time to
//! pass.

use std::{fs, process::Command, time::Instant};

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use super::{
    Client, Home,
    script::{Script, gone},
};

/// A home whose worker runs a shell, so that tests can write what they need.
fn home() -> Home {
    Home::new().with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "/bin/sh,/bin/echo,/bin/false,/bin/sleep")
}

fn error_kind(job: &Value) -> &Value {
    &job["executions"][0]["error"]["kind"]
}

#[test]
fn output_exit_code_and_failure_are_reported_and_counted_once() {
    let home = home();
    let (_server, client) = home.serve();
    let exec = |command: &[&str]| {
        let operation = json!({ "type": "command.exec", "data": { "command": command } });
        client.submit(&operation, "web-1", &[("prefer", "wait=30")])
    };
    let done = exec(&["/bin/echo", "a  b", "$HOME", "*"]);
    assert_eq!(
        (&done["status"], &done["executions"][0]["result"]["stdout"]),
        (&json!("completed"), &json!("a  b $HOME *\n"))
    );
    let failed = exec(&["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((&failed["status"], error_kind(&failed)), (&json!("failed"), &json!("exit_status")));
    let result = &failed["executions"][0]["result"];
    assert_eq!(
        (&result["exit_code"], &result["stdout"], &result["stderr"]),
        (&json!(3), &json!("out\n"), &json!("err\n"))
    );
    assert_eq!(failed["executions"][0]["attempt"], 1);
    let refused = exec(&["/bin/true"]);
    assert_eq!((&refused["status"], error_kind(&refused)), (&json!("failed"), &json!("not_allowed")));
    let page = client.metrics();
    for (status, expected) in [("completed", 1.0), ("failed", 2.0)] {
        let labels = [("operation", "command.exec"), ("status", status)];
        assert_eq!(page.value("osapi_jobs_completed_total", &labels), Some(expected), "{status}");
    }
}

#[test]
fn a_command_needs_an_administrator_and_a_worker_that_allows_commands() {
    let home = home();
    let (_server, client) = home.serve();
    let body =
        json!({ "operation": { "type": "command.exec", "data": { "command": ["/bin/echo"] } }, "target": "_any" });
    let writer = client.with_token(Some(&home.token("write")));
    writer.post("/api/v1/jobs", &body).problem(403);
    let exec = json!({ "command": ["/bin/echo"] });
    writer.post("/api/v1/nodes/_any/command/exec", &exec).problem(403);
    let job = client.post_with("/api/v1/jobs", &[("prefer", "wait=30")], &body).expect(201);
    writer.post(&format!("/api/v1/jobs/{}/retry", job["id"].as_str().unwrap()), &json!({})).problem(403);
    assert_eq!(client.get("/api/v1/workers").expect(200)["items"][0]["commands_enabled"], true);

    let plain = Home::new();
    let (_server, client) = plain.serve();
    for target in ["_any", "_all", "web-1", "group:web"] {
        let body =
            json!({ "operation": { "type": "command.exec", "data": { "command": ["/bin/echo"] } }, "target": target });
        assert_eq!(client.post("/api/v1/jobs", &body).problem(422)["errors"][0]["field"], "target");
    }
    assert_eq!(client.get("/api/v1/workers").expect(200)["items"][0]["commands_enabled"], false);
}

#[test]
fn commands_that_cannot_be_are_refused_at_the_door() {
    let home = home();
    let (_server, client) = home.serve();
    let megabyte = "x".repeat(1_000_000);
    for command in [
        json!([]),
        json!(["echo"]),
        json!(["/bin/echo", "a\u{0}b"]),
        json!(["/bin/echo", megabyte]),
        json!(vec!["/bin/echo"; 257]),
        json!("/bin/echo"),
        json!(["/bin/echo", 5]),
    ] {
        let body = json!({ "operation": { "type": "command.exec", "data": { "command": command } }, "target": "_any" });
        let problem = client.post("/api/v1/jobs", &body).problem(422);
        let field = problem["errors"][0]["field"].as_str().unwrap();
        assert!(field.starts_with("operation.data.command"), "{problem}");
        let problem = client.post("/api/v1/nodes/_any/command/exec", &json!({ "command": command })).problem(422);
        assert!(problem["errors"][0]["field"].as_str().unwrap().starts_with("command"), "{problem}");
    }
    assert_eq!(client.stats()["ledger"]["created"], 0);
}

#[test]
fn the_typed_call_runs_a_command_and_its_key_makes_one_job() {
    let home = home();
    let (_server, client) = home.serve();
    let path = "/api/v1/nodes/group:web/command/exec";
    let body = json!({ "command": ["/bin/sh", "-c", "echo once; exit 7"] });
    let first = client.post_with(path, &[("idempotency-key", "k")], &body).expect(200);
    assert_eq!(first["status"], "failed");
    let result = &first["results"][0];
    assert_eq!((&result["data"]["stdout"], &result["data"]["exit_code"]), (&json!("once\n"), &json!(7)));
    assert_eq!(result["error"]["kind"], "exit_status");
    let again = client.post_with(path, &[("idempotency-key", "k")], &body);
    assert_eq!((again.expect(200), again.header("idempotency-replayed")), (first, "true"));
    assert_eq!(client.stats()["ledger"]["created"], 1);
}

/// Promise 5, and what must never start twice.
#[test]
fn a_server_killed_in_the_middle_of_a_command_never_starts_it_again_and_says_that_it_is_lost() {
    let home = home();
    let script = Script::new(&home);
    let (server, client) = home.serve();
    let job = client.submit(&script.then("exec sleep 600"), "_any", &[]);
    let group = script.started();
    server.kill();
    let (_server, client) = home.serve();
    let job = client.ended(job["id"].as_str().unwrap());
    assert_eq!((&job["status"], error_kind(&job)), (&json!("lost"), &json!("worker_lost")));
    assert_eq!((script.starts(), &job["executions"][0]["attempt"]), (1, &json!(1)));
    let page = client.metrics();
    assert_eq!(page.value("osapi_ledger_jobs_completed_total", &[("status", "lost")]), Some(1.0));
    assert_eq!(page.sum("osapi_jobs_redelivered_total"), 0.0);
    // A killed server cannot end what it started: the operator's init does, and here the test.
    let _ = kill_process(group, Signal::KILL);
}

/// Promise 6: many leases long, one start.
#[test]
fn a_run_longer_than_its_lease_runs_once_while_its_worker_lives() {
    let home = home().with("OSAPI_JOB__DEFAULTS__LEASE", "1s");
    let script = Script::new(&home);
    let (_server, client) = home.serve();
    let running = client.submit(&script.then("sleep 3"), "_any", &[]);
    script.started();
    let job = client.ended(running["id"].as_str().unwrap());
    assert_eq!((&job["status"], script.starts()), (&json!("completed"), 1), "{job}");
    assert!(job["executions"][0]["duration_seconds"].as_f64().unwrap() >= 3.0);
    let page = client.metrics();
    assert_eq!((page.sum("osapi_jobs_redelivered_total"), page.sum("osapi_stale_results_total")), (0.0, 0.0));
}

/// Promise 9, work that ends in time.
#[test]
fn a_stopping_server_lets_a_command_finish_within_the_grace_time() {
    let home = home().with("OSAPI_JOB__WORKER__GRACE", "60s");
    let script = Script::new(&home);
    let (server, client) = home.serve();
    let proceed = home.path("proceed");
    assert!(Command::new("mkfifo").arg(&proceed).status().unwrap().success());
    let job = client.submit(&script.then(&format!("cat {}; echo done", proceed.display())), "_any", &[]);
    script.started();
    server.signal(Signal::TERM);
    fs::write(&proceed, "on\n").unwrap();
    assert_eq!(server.ended().code(), Some(0));
    let (_server, client) = home.serve();
    let job = client.ended(job["id"].as_str().unwrap());
    assert_eq!((&job["status"], script.starts()), (&json!("completed"), 1));
    assert_eq!(job["executions"][0]["result"]["stdout"], "on\ndone\n");
}

/// Promise 9, work that does not.
#[test]
fn a_stopping_server_ends_a_command_that_outlasts_the_grace_time_and_keeps_what_it_wrote() {
    let home = home().with("OSAPI_JOB__WORKER__GRACE", "8s");
    let script = Script::new(&home);
    let (server, client) = home.serve();
    let deaf = "trap '' TERM; echo so far; while :; do sleep 600; done";
    let job = client.submit(&script.then(deaf), "_any", &[]);
    let group = script.started();
    assert_eq!(server.stop().code(), Some(0));
    gone(group);
    let (_server, client) = home.serve();
    let job = client.ended(job["id"].as_str().unwrap());
    assert_eq!((&job["status"], error_kind(&job)), (&json!("failed"), &json!("interrupted")));
    assert_eq!((script.starts(), &job["executions"][0]["result"]["stdout"]), (1, &json!("so far\n")));
}

/// Promise 10.
#[test]
fn a_cancelled_command_is_gone_with_all_its_children_within_five_seconds() {
    let home = home();
    let script = Script::new(&home);
    let (_server, client) = home.serve();
    let family = "trap '' TERM; (trap '' TERM; sleep 600) & echo waiting; while :; do sleep 600; done";
    let job = client.submit(&script.then(family), "_any", &[]);
    let group = script.started();
    let place = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let asked = Instant::now();
    let running = client.post(&format!("{place}/cancel"), &json!({})).expect(200);
    assert!(running["cancel_requested_at"].is_string(), "{running}");
    let job = client.ended(job["id"].as_str().unwrap());
    gone(group);
    assert!(asked.elapsed().as_secs_f64() < 5.0, "{:?}", asked.elapsed());
    assert_eq!((&job["status"], script.starts()), (&json!("cancelled"), 1));
    assert_eq!(job["executions"][0]["result"]["stdout"], "waiting\n");
    let page = client.metrics();
    assert_eq!(page.sum("osapi_jobs_active"), 0.0);
    assert_eq!(page.value("osapi_worker_slots_used", &[("worker", "web-1")]), Some(0.0));
    client.post(&format!("{place}/cancel"), &json!({})).problem(409);
}

#[test]
fn a_command_that_runs_too_long_is_ended_and_its_output_kept() {
    let home = home();
    let (_server, client) = home.serve();
    let operation = json!({ "type": "command.exec", "data": {
        "command": ["/bin/sh", "-c", "echo begun; exec sleep 600"], "timeout_seconds": 1,
    } });
    let job = client.submit(&operation, "_any", &[("prefer", "wait=30")]);
    assert_eq!((&job["status"], error_kind(&job)), (&json!("failed"), &json!("timeout")));
    assert_eq!(job["executions"][0]["result"]["stdout"], "begun\n");
}

/// T7: the histograms see what is slow.
#[test]
fn a_job_of_200_ms_has_a_quantile_of_its_size() {
    let home = home();
    let (_server, client) = home.serve();
    let operation = json!({ "type": "command.exec", "data": { "command": ["/bin/sleep", "0.2"] } });
    for _ in 0..5 {
        let job = client.submit(&operation, "_any", &[("prefer", "wait=30")]);
        assert_eq!(job["status"], "completed");
    }
    let quantile = client.metrics().quantile(0.95, "osapi_job_duration_seconds");
    assert!((0.1..=0.5).contains(&quantile), "{quantile}");
}

#[test]
fn a_running_command_is_active_and_its_age_is_shown() {
    let home = home();
    let script = Script::new(&home);
    let (_server, client) = home.serve();
    let job = client.submit(&script.then("exec sleep 600"), "_any", &[]);
    script.started();
    let page = client.metrics();
    assert_eq!(page.value("osapi_jobs_active", &[("operation", "command.exec")]), Some(1.0));
    assert_eq!(page.value("osapi_worker_slots_used", &[("worker", "web-1")]), Some(1.0));
    assert!(page.value("osapi_job_longest_running_seconds", &[]).unwrap() > 0.0);
    cancel(&client, &job);
    let page = client.metrics();
    assert_eq!(page.value("osapi_job_longest_running_seconds", &[]), Some(0.0));
}

fn cancel(client: &Client, job: &Value) {
    let id = job["id"].as_str().unwrap();
    client.post(&format!("/api/v1/jobs/{id}/cancel"), &json!({})).expect(200);
    assert_eq!(client.ended(id)["status"], "cancelled");
}
