//! The order in which processes start, and what a worker does that has to wait for the streams.

use std::{
    fs,
    process::{Child, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::installation::{API, Api, WORKER, as_user, at, named, server, shipped, start_api, start_worker, until};
use crate::{queue::nats_server::NatsServer, server::Home};

const WAITS: &str = "waiting for an API process to make the streams";

/// What a worker has logged that is started and left alone.
fn said(home: &Home) -> String {
    fs::read_to_string(home.path("waiting")).unwrap()
}

/// A worker that may not be ready for a while. It ends with the test.
struct Begun(Child);

impl Begun {
    fn worker(home: &Home) -> Self {
        let mut command = home.command(&["job", "worker", "start"]);
        let log = fs::File::create(home.path("waiting")).unwrap();
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Asks it to stop, and waits for its end.
    fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn completes(api: &Api, hostname: &str) {
    api.sees(&[hostname]);
    let job = api.client.submit(&json!({ "type": "node.uptime.get" }), hostname, &[("prefer", "wait=30")]);
    assert_eq!(job["status"], "completed");
}

#[test]
fn a_worker_that_may_not_make_the_streams_says_once_that_it_waits_and_goes_on_by_itself() {
    let server = server(&shipped());
    let home = named(as_user(at(&server.url()), WORKER), "web-1");
    let worker = Begun::worker(&home);
    until("it says that it waits", || said(&home).contains(WAITS));
    let api = start_api(as_user(at(&server.url()), API));
    completes(&api, "web-1");
    assert_eq!(worker.stop().code(), Some(0));
    let said = said(&home);
    assert_eq!(said.matches(WAITS).count(), 1, "{said}");
    assert!(said.contains("the streams are there") && !said.contains("ERROR"), "{said}");
}

#[test]
fn a_worker_that_waits_for_the_streams_lets_nobody_wait_and_stops_when_it_is_asked_to() {
    let server = server(&shipped());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = named(as_user(at(&server.url()), WORKER), "web-1").with("OSAPI_JOB__WORKER__LISTEN", &free.to_string());
    let worker = Begun::worker(&home);
    until("it says that it waits", || said(&home).contains(WAITS));
    let asked = std::net::TcpStream::connect(free).expect_err("nobody could answer yet");
    assert_eq!(asked.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(worker.stop().code(), Some(0), "{}", said(&home));
    assert!(said(&home).contains("stopped before it was ready"), "{}", said(&home));
}

#[test]
fn with_all_rights_any_order_works() {
    let server = NatsServer::start();
    let worker = start_worker(named(at(&server.url()), "web-1"));
    let said = worker.process.log();
    assert!(!said.contains(WAITS), "{said}");
    let api = start_api(at(&server.url()));
    completes(&api, "web-1");
}

#[test]
fn an_api_process_brings_streams_to_what_is_configured() {
    let server = NatsServer::start();
    // Some of them made by a worker.
    drop(start_worker(named(at(&server.url()), "web-1")));
    let start = |age: &str| start_api(at(&server.url()).with("OSAPI_JOB__RETENTION__AGE", age)).process.log();
    let changed = "a stream was changed as configured";
    assert!(!start("24h").contains(changed));
    let said = start("2d");
    assert_eq!(said.matches(changed).count(), 1, "{said}");
    assert!(said.contains("osapi-keys"), "{said}");
    let said = start("2d");
    assert!(!said.contains(changed), "nothing is left to do: {said}");
}
