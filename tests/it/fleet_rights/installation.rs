//! A NATS server with the configuration that ships, and processes that use it as its two users.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    queue::nats_server::NatsServer,
    server::{Client, Home, Running},
};

/// Long enough for everything that happens by itself here.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at something that will come to be.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The users of the configuration that ships, as the tests know them.
pub(super) const API: (&str, &str) = ("osapi-api", "what-the-api-knows");
pub(super) const WORKER: (&str, &str) = ("osapi-worker", "what-workers-know");

/// The configuration that ships.
pub(super) fn shipped() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ops/nats/osapi.conf")).unwrap()
}

/// A server with this configuration, in a directory of its own.
pub(super) fn server(configuration: &str) -> NatsServer {
    let passwords = format!("NATS_API_PASSWORD: \"{}\"\nNATS_WORKER_PASSWORD: \"{}\"\n", API.1, WORKER.1);
    NatsServer::with(&format!("{passwords}{configuration}\njetstream {{ store_dir: STORE }}"))
}

/// Where a process can be started that uses the server at this address.
pub(super) fn at(url: &str) -> Home {
    Home::new()
        .with("OSAPI_JOB__QUEUE__BACKEND", "nats")
        .with("OSAPI_JOB__QUEUE__NATS__URL", url)
        .with("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", "what all API processes of one fleet share")
        .with("OSAPI_JOB__DEFAULTS__LEASE", "2s")
        .with("OSAPI_JOB__WORKER__LISTEN", "127.0.0.1:0")
        .with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "/bin/sh")
}

/// The same as one of the users.
pub(super) fn as_user(home: Home, (user, password): (&str, &str)) -> Home {
    home.with("OSAPI_JOB__QUEUE__NATS__USER", user).with("OSAPI_JOB__QUEUE__NATS__PASSWORD", password)
}

/// The worker of a host.
pub(super) fn named(home: Home, hostname: &str) -> Home {
    home.with("OSAPI_JOB__WORKER__HOSTNAME", hostname)
}

/// An API process and its directory, with a client that may do everything.
pub(super) struct Api {
    pub(super) process: Running,
    pub(super) client: Client,
    pub(super) home: Home,
}

/// Starts an API process.
pub(super) fn start_api(home: Home) -> Api {
    let process = home.start_as(&["api", "server", "start"], "token");
    Api { client: Client::new(process.url(), &home.token("admin")), process, home }
}

impl Api {
    /// Waits until these workers are connected, as this process sees it.
    pub(super) fn sees(&self, hostnames: &[&str]) {
        until(&format!("the workers {hostnames:?}"), || {
            let workers = self.client.get("/api/v1/workers").expect(200);
            let names = workers["items"].as_array().unwrap().iter().map(|worker| worker["hostname"].as_str().unwrap());
            names.eq(hostnames.iter().copied())
        });
    }
}

/// A worker and its directory.
pub(super) struct Worker {
    pub(super) process: Running,
    pub(super) home: Home,
}

/// Starts a worker.
pub(super) fn start_worker(home: Home) -> Worker {
    Worker { process: home.start_as(&["job", "worker", "start"], "metrics"), home }
}

/// Looks until it is there.
pub(super) fn until(what: &str, mut look: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !look() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(LOOK_AGAIN);
    }
}
