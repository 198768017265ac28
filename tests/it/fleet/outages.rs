//! The server of the queue ends and comes back, under load: what was accepted is done once, nothing else is, and nobody
//! has to be restarted.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::scene::{Fleet, Member, PATIENCE, hosts, id, read, sum, until};
use crate::server::Client;

/// Clients of each API process.
const CLIENTS: usize = 3;
/// What must be accepted before the server ends, and again after it came back.
const ACCEPTED: usize = 40;
/// Lines that an outage may add to the log of a process.
const LINES: usize = 5;

/// What clients were told.
#[derive(Default)]
struct Told {
    /// The mark and the id of each job that was accepted.
    accepted: Mutex<Vec<(String, String)>>,
    /// What may have been accepted all the same: named by a problem, or by an answer that did not come.
    possible: Mutex<HashSet<String>>,
    accepted_so_far: AtomicUsize,
    refused: AtomicUsize,
    broadcasts: AtomicUsize,
    over: AtomicBool,
}

impl Told {
    /// Submits commands that leave their mark in a file, until it is over.
    fn submit(&self, client: &Client, name: &str, starts: &Path) {
        for turn in 0.. {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            let mark = format!("{name}-{turn}");
            let command = json!(["/bin/sh", "-c", format!("echo {mark} >> {}", starts.display())]);
            let operation = json!({ "type": "command.exec", "data": { "command": command } });
            let body = json!({ "operation": operation, "target": "_any" }).to_string();
            let headers = [("content-type", "application/json")];
            let asked = Instant::now();
            let answer = client.send("POST", "/api/v1/jobs", &headers, body.as_bytes());
            let taken = asked.elapsed();
            if answer.status == 201 {
                self.accepted.lock().unwrap().push((mark, id(&answer.json()).to_owned()));
                self.accepted_so_far.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            let problem = answer.problem(503);
            assert!(taken < Duration::from_secs(2), "refused after {taken:?}: {problem}");
            if problem["job_id"].is_string() {
                self.possible.lock().unwrap().insert(mark);
            }
            self.refused.fetch_add(1, Ordering::SeqCst);
            // It was told to try again later: a second, for somebody with more patience.
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn accepts(&self, more: usize) {
        let goal = self.accepted_so_far.load(Ordering::SeqCst) + more;
        until("jobs are accepted", || (self.accepted_so_far.load(Ordering::SeqCst) >= goal).then_some(()));
    }
}

/// Ends the load when it is dropped, also by a panic.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn ready(member: &Member) -> bool {
    match member.client.get("/health/ready").status {
        200 => true,
        503 => false,
        other => panic!("{other}"),
    }
}

/// Waits until it is ready; says what it says when it never is.
fn is_ready_again(member: &Member) {
    let begun = Instant::now();
    while !ready(member) {
        if begun.elapsed() > PATIENCE {
            let health = member.client.get("/health/ready");
            panic!("not ready: {}\n{}", health.body, member.process.log());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn connected(member: &Member) -> Option<f64> {
    member.page().value("osapi_queue_connected", &[])
}

/// Whether a line tells of one request: each that fails has its own.
fn is_about_a_request(line: &str) -> bool {
    line.contains("a request failed")
}

/// Kills the server under load and starts it again after `outage`.
fn survives(outage: Duration) {
    let mut fleet = Fleet::new();
    let apis = [fleet.api(), fleet.api()];
    let workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    let everybody = || apis.iter().chain(&workers);
    for api in &apis {
        api.sees(&["web-1", "web-2"]);
    }
    let starts = fleet.desk.path("starts");
    let told = Told::default();
    let lines = |member: &Member| member.process.log().lines().count();
    thread::scope(|scope| {
        let _ends = Ends(&told.over);
        for (number, api) in apis.iter().enumerate() {
            for client in 0..CLIENTS {
                let (told, starts, name) = (&told, &starts, format!("{number}-{client}"));
                scope.spawn(move || told.submit(&api.client, &name, starts));
            }
        }
        told.accepts(ACCEPTED);
        let lines_before: Vec<usize> = everybody().map(lines).collect();

        fleet.server.kill();
        let killed = Instant::now();
        for member in everybody() {
            until("it is not ready", || (!ready(member)).then_some(()));
            assert_eq!(connected(member), Some(0.0));
        }
        for api in &apis {
            let page = api.page();
            for absent in ["osapi_queue_depth", "osapi_workers_connected", "osapi_ledger_jobs_created_total"] {
                assert_eq!(page.value(absent, &[]), None, "{absent} without a queue");
            }
        }
        let refused = told.refused.load(Ordering::SeqCst);
        let accepted = told.accepted_so_far.load(Ordering::SeqCst);
        while killed.elapsed() < outage {
            assert!(everybody().all(|member| !ready(member)), "ready without a queue");
            thread::sleep(Duration::from_millis(50));
        }
        assert!(told.refused.load(Ordering::SeqCst) > refused, "nobody was told that there is no queue");
        assert!(told.accepted_so_far.load(Ordering::SeqCst) <= accepted + 2 * CLIENTS, "accepted by nobody");

        fleet.server.restart();
        for api in &apis {
            // Never that a host is not there, which would be final: the hosts were not away, the server was.
            let body = json!({ "operation": read(), "target": "_all" });
            let job = until("a broadcast is accepted", || {
                let answer = api.client.post("/api/v1/jobs", &body);
                if answer.status == 503 { None } else { Some(answer.expect(201)) }
            });
            assert_eq!(hosts(&api.client.ended(id(&job))), [("web-1", "completed"), ("web-2", "completed")]);
            told.broadcasts.fetch_add(1, Ordering::SeqCst);
        }
        for member in everybody() {
            is_ready_again(member);
            until("it is connected again", || (connected(member) == Some(1.0)).then_some(()));
            assert_eq!(member.page().sum("osapi_queue_reconnects_total"), 1.0);
        }
        told.accepts(ACCEPTED);
        for (member, before) in everybody().zip(lines_before) {
            let log = member.process.log();
            let during: Vec<&str> = log.lines().skip(before).filter(|line| !is_about_a_request(line)).collect();
            assert!(during.len() <= LINES, "{} lines:\n{}", during.len(), during.join("\n"));
        }
    });
    told.was_true(&apis, &workers, &starts);
}

impl Told {
    /// Each job that was accepted is done once, and whatever started was announced.
    fn was_true(&self, apis: &[Member; 2], workers: &[Member; 2], starts: &Path) {
        let ledger = apis[0].quiet()["ledger"].clone();
        let mut started: HashMap<String, usize> = HashMap::new();
        for mark in fs::read_to_string(starts).unwrap().lines() {
            *started.entry(mark.to_owned()).or_default() += 1;
        }
        let accepted = self.accepted.lock().unwrap();
        for (mark, id) in accepted.iter() {
            let job = apis[1].client.ended(id);
            assert_eq!((&job["status"], started.remove(mark)), (&json!("completed"), Some(1)), "{mark}: {job}");
        }
        let possible = self.possible.lock().unwrap();
        for (mark, times) in started {
            assert!(possible.contains(&mark), "{mark} started and was never announced");
            assert_eq!(times, 1, "{mark}");
        }
        until("the other API process says the same", || (apis[1].quiet()["ledger"] == ledger).then_some(()));
        let created = ledger["created"].as_f64().unwrap();
        let broadcasts = self.broadcasts.load(Ordering::SeqCst);
        let certain = f64::from(u32::try_from(accepted.len() + broadcasts).unwrap());
        let uncertain = f64::from(u32::try_from(possible.len()).unwrap());
        assert!((certain..=certain + uncertain).contains(&created), "{created} of {certain} and {uncertain}");
        let everybody = || apis.iter().chain(workers);
        until("what was accepted is counted once", || {
            (sum(everybody(), "osapi_jobs_created_total") == created).then_some(())
        });
        until("what ended is counted once", || {
            (sum(everybody(), "osapi_jobs_completed_total") == created).then_some(())
        });
        until("gauges are back", || (sum(everybody(), "osapi_jobs_active") == 0.0).then_some(()));
    }
}

#[test]
fn a_server_that_is_back_after_a_second_has_cost_nothing_that_was_accepted() {
    survives(Duration::from_secs(1));
}

/// Many leases long. `OSAPI_TEST_LONG=1` makes it a minute.
#[test]
fn a_long_outage_costs_nothing_that_was_accepted() {
    let long = std::env::var_os("OSAPI_TEST_LONG").is_some();
    survives(Duration::from_secs(if long { 60 } else { 20 }));
}

#[test]
fn a_fleet_whose_server_freezes_says_so_within_a_second_and_goes_on_when_it_thaws() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let worker = fleet.worker("web-1");
    api.sees(&["web-1"]);
    fleet.server.signal(rustix::process::Signal::STOP);
    let body = json!({ "operation": read(), "target": "_any" }).to_string();
    let submit = |key: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let asked = Instant::now();
        let answer = api.client.send("POST", "/api/v1/jobs", &headers, body.as_bytes());
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        answer.problem(503);
    };
    for key in ["a", "b", "c"] {
        submit(key);
    }
    for member in [&api, &worker] {
        assert!(!ready(member));
        assert_eq!(connected(member), Some(0.0));
    }
    fleet.server.signal(rustix::process::Signal::CONT);
    for member in [&api, &worker] {
        is_ready_again(member);
    }
    // Each key still stands for one job.
    let jobs: HashSet<String> = ["a", "b", "c"]
        .map(|key| {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            let answer = until("it is accepted", || {
                let answer = api.client.send("POST", "/api/v1/jobs", &headers, body.as_bytes());
                matches!(answer.status, 200 | 201).then_some(answer)
            });
            let job: Value = api.client.ended(id(&answer.json()));
            assert_eq!(job["status"], "completed");
            id(&job).to_owned()
        })
        .into();
    assert_eq!(jobs.len(), 3);
    let stats = api.quiet();
    assert_eq!(stats["ledger"]["created"], 3, "{stats}");
    worker.comes_to("osapi_worker_jobs_processed_total", 3.0);
}
