//! Workers that vanish: what is safe runs again elsewhere, what is not is lost and never starts twice.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::scene::{Fleet, Member, error_kind, hosts, id, slow_read, until, worker_in};
use crate::server::Script;

/// Takes the one with this name out of two.
fn part(members: [Member; 2], name: &str) -> (Member, Member) {
    let [first, second] = members;
    if first.process.greeting().contains(name) { (first, second) } else { (second, first) }
}

/// A read whose worker is killed, and how long it takes until it runs elsewhere.
fn rerun(fleet: &Fleet) -> Duration {
    let api = fleet.api();
    let workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    api.sees(&["web-1", "web-2"]);
    let job = api.client.submit(&slow_read(3), "_any", &[]);
    let host = api.runs_on(id(&job));
    let (ran, other) = part(workers, &host);
    ran.kill();
    let killed = Instant::now();
    let other_host = if host == "web-1" { "web-2" } else { "web-1" };
    until("it runs elsewhere", || (api.job(id(&job))?["executions"][0]["worker"] == other_host).then_some(()));
    let taken = killed.elapsed();
    let ended = api.client.ended(id(&job));
    assert_eq!(hosts(&ended), [(other_host, "completed")]);
    assert_eq!(ended["executions"][0]["attempt"], 2);
    other.comes_to("osapi_worker_jobs_processed_total", 1.0);
    let redelivered = [("operation", "network.ping")];
    assert_eq!(api.page().value("osapi_jobs_redelivered_total", &redelivered), Some(1.0));
    taken
}

#[test]
fn a_read_whose_worker_was_killed_runs_elsewhere_after_its_lease() {
    let taken = rerun(&Fleet::new());
    assert!(taken >= Duration::from_secs(1), "nobody may give up a worker before its lease of 2 s ends: {taken:?}");
}

#[test]
fn with_the_default_lease_a_read_runs_elsewhere_within_15_seconds() {
    let taken = rerun(&Fleet::new().with("OSAPI_JOB__DEFAULTS__LEASE", "10s"));
    assert!(taken < Duration::from_secs(15), "{taken:?}");
}

#[test]
fn a_command_whose_worker_was_killed_is_lost_and_does_not_start_again() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    api.sees(&["web-1", "web-2"]);
    let script = Script::new(&fleet.desk);
    let job = api.client.submit(&script.then("exec sleep 600"), "_any", &[]);
    let group = script.started();
    let (ran, other) = part(workers, &api.runs_on(id(&job)));
    let home = ran.kill();
    let ended = api.client.ended(id(&job));
    assert_eq!((&ended["status"], error_kind(&ended)), (&json!("lost"), &json!("worker_lost")));
    assert_eq!(ended["executions"][0]["attempt"], 1);
    // Not by the other worker, and not by the next one of that host.
    let next = worker_in(home);
    for host in ["web-1", "web-2"] {
        let after = api.client.submit(&slow_read(0), host, &[("prefer", "wait=30")]);
        assert_eq!(hosts(&after), [(host, "completed")]);
    }
    assert_eq!(script.starts(), 1);
    let page = api.page();
    let labels = [("operation", "command.exec"), ("status", "lost")];
    assert_eq!(page.value("osapi_jobs_completed_total", &labels), Some(1.0));
    assert_eq!(page.sum("osapi_jobs_redelivered_total"), 0.0);
    for worker in [&other, &next] {
        worker.comes_to("osapi_worker_jobs_processed_total", 1.0);
        worker.comes_to("osapi_jobs_active", 0.0);
    }
    // A killed worker cannot end what it started: the operator's init does, and here the test.
    let _ = kill_process(group, Signal::KILL);
}

#[test]
fn a_read_that_kills_its_workers_fails_after_its_last_attempt() {
    let fleet = Fleet::new().with("OSAPI_JOB__DEFAULTS__MAX_ATTEMPTS", "2");
    let api = fleet.api();
    let mut home = fleet.worker_home("web-1");
    api.sees(&[]);
    let job = api.client.submit(&slow_read(10), "_any", &[]);
    for attempt in 1..=2 {
        let worker = worker_in(home);
        until("it runs", || {
            let job = api.job(id(&job))?;
            let execution = &job["executions"][0];
            (execution["status"] == "running" && execution["attempt"] == attempt).then_some(())
        });
        home = worker.kill();
    }
    let _next = worker_in(home);
    let ended = api.client.ended(id(&job));
    assert_eq!((&ended["status"], error_kind(&ended)), (&json!("failed"), &json!("worker_lost")));
    assert_eq!(ended["executions"][0]["attempt"], 2);
}

#[test]
fn commands_start_at_most_once_while_workers_are_killed_under_load() {
    const JOBS: usize = 60;
    let fleet = Fleet::new();
    let api = fleet.api();
    let _stays = fleet.worker("web-1");
    let mut home = fleet.worker_home("web-2");
    let starts = fleet.desk.path("starts");
    let mut jobs = Vec::new();
    api.sees(&["web-1"]);
    for round in 0..3 {
        let worker = worker_in(home);
        api.sees(&["web-1", "web-2"]);
        let (submitted, left) = thread::scope(|scope| {
            let submit = |number: usize| {
                let text = format!("echo {round}-{number} >> {}; sleep 1", starts.display());
                let operation = json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", text] } });
                (format!("{round}-{number}"), id(&api.client.submit(&operation, "_any", &[])).to_owned())
            };
            let submits = scope.spawn(move || (0..JOBS / 3).map(submit).collect::<Vec<_>>());
            let busy = || worker.page().sum("osapi_jobs_active") >= 1.0;
            until("it runs some of them", || busy().then_some(()));
            let home = worker.kill();
            (submits.join().unwrap(), home)
        });
        jobs.extend(submitted);
        home = left;
    }
    let figures = api.quiet();
    assert_eq!(figures["ledger"]["created"], JOBS);
    let started = std::fs::read_to_string(&starts).unwrap();
    let mut lost = 0;
    for (mark, id) in &jobs {
        let job = api.client.ended(id);
        let times = started.lines().filter(|line| line == mark).count();
        match job["status"].as_str().unwrap() {
            "completed" => assert_eq!(times, 1, "{mark}"),
            "lost" => {
                assert!(times <= 1, "{mark} started {times} times");
                lost += 1;
            }
            other => panic!("{mark} is {other}: {job}"),
        }
    }
    assert!(lost > 0, "the workers that were killed ran something");
    assert_eq!(figures["by_status"]["lost"], lost);
}
