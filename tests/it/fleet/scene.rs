//! The processes of a fleet, and how a test waits for what they come to agree on.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    exposition::Page,
    queue::nats_server::NatsServer,
    server::{Client, Home, Running},
};

/// Long enough for everything that happens by itself here.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at something that will come to be.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What all API processes of a fleet share.
const SIGNING_KEY: &str = "what all API processes of one fleet share";
/// What a test has its workers run.
const COMMANDS: &str = "/bin/sh,/bin/true,/bin/false";

/// Looks until there is what is looked for.
pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// A server for the queue, and what the processes are configured with that are started for it.
pub(super) struct Fleet {
    pub(super) server: NatsServer,
    /// Where a test keeps its own files, and makes tokens.
    pub(super) desk: Home,
    settings: Vec<(String, String)>,
}

/// One process, in a directory of its own.
pub(super) struct Member {
    pub(super) process: Running,
    /// Speaks to it, an API process with all rights.
    pub(super) client: Client,
    home: Home,
}

impl Fleet {
    /// With short leases, so that what is lost is found soon.
    pub(super) fn new() -> Self {
        Self::on(NatsServer::start())
    }

    pub(super) fn on(server: NatsServer) -> Self {
        let desk = keyed(on_nats(Home::new(), &server.url()));
        Self { server, desk, settings: Vec::new() }.with("OSAPI_JOB__DEFAULTS__LEASE", "2s")
    }

    /// With a configuration key of all processes that are started from now on, as its environment variable.
    pub(super) fn with(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    fn home(&self, url: &str) -> Home {
        let home = on_nats(Home::new(), url);
        self.settings.iter().fold(home, |home, (variable, value)| home.with(variable, value))
    }

    /// Starts an API process that has seen nothing yet.
    pub(super) fn api(&self) -> Member {
        self.api_in(keyed(self.home(&self.server.url())))
    }

    /// Starts an API process where another one was.
    pub(super) fn api_in(&self, home: Home) -> Member {
        let process = home.start_as(&["api", "server", "start"], "token");
        let client = Client::new(process.url(), &self.desk.token("admin"));
        Member { process, client, home }
    }

    /// Starts the worker of a host.
    pub(super) fn worker(&self, hostname: &str) -> Member {
        worker_in(self.worker_home(hostname))
    }

    /// Starts the worker of a host with labels.
    pub(super) fn labelled(&self, hostname: &str, labels: &str) -> Member {
        worker_in(self.worker_home(hostname).with("OSAPI_JOB__WORKER__LABELS", labels))
    }

    /// Where the worker of a host can be started.
    pub(super) fn worker_home(&self, hostname: &str) -> Home {
        self.worker_home_at(hostname, &self.server.url())
    }

    /// The same for one that reaches the server in another way.
    pub(super) fn worker_home_at(&self, hostname: &str, url: &str) -> Home {
        self.home(url)
            .with("OSAPI_JOB__WORKER__HOSTNAME", hostname)
            .with("OSAPI_JOB__WORKER__LISTEN", "127.0.0.1:0")
            .with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", COMMANDS)
    }
}

fn on_nats(home: Home, url: &str) -> Home {
    home.with("OSAPI_JOB__QUEUE__BACKEND", "nats").with("OSAPI_JOB__QUEUE__NATS__URL", url)
}

fn keyed(home: Home) -> Home {
    home.with("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", SIGNING_KEY)
}

/// Starts a worker in its directory.
pub(super) fn worker_in(home: Home) -> Member {
    let process = home.start_as(&["job", "worker", "start"], "metrics");
    let url = process.greeted("health").strip_suffix("/health/ready").unwrap().to_owned();
    let client = Client::new(&url, "").with_token(None);
    Member { process, client, home }
}

impl Member {
    /// Its metrics page, which must keep all the rules.
    pub(super) fn page(&self) -> Page {
        self.client.metrics()
    }

    /// Waits until the series with this name add up to this on its page. An end is stored before the process that stored
    /// it counts it, and others may see it between the two.
    pub(super) fn comes_to(&self, name: &str, sum: f64) {
        until(&format!("{name} {sum}"), || (self.page().sum(name) == sum).then_some(()));
    }

    /// Kills it at once. What it stored is where it was.
    pub(super) fn kill(self) -> Home {
        self.process.kill();
        self.home
    }

    /// Waits until exactly these workers are connected, as this API process sees it.
    pub(super) fn sees(&self, hostnames: &[&str]) {
        until(&format!("the workers {hostnames:?}"), || (self.workers() == hostnames).then_some(()));
    }

    /// The names of the connected workers, in order.
    pub(super) fn workers(&self) -> Vec<String> {
        let workers = self.client.get("/api/v1/workers").expect(200);
        let name = |worker: &Value| worker["hostname"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = workers["items"].as_array().unwrap().iter().map(name).collect();
        names.sort();
        names
    }

    /// A job as it is now; none while this process does not know it.
    pub(super) fn job(&self, id: &str) -> Option<Value> {
        let answer = self.client.get(&format!("/api/v1/jobs/{id}"));
        (answer.status != 404).then(|| answer.expect(200))
    }

    /// The host on which the only execution of a job runs, once it does.
    pub(super) fn runs_on(&self, id: &str) -> String {
        until("it runs", || {
            let job = self.job(id)?;
            let execution = &job["executions"][0];
            (execution["status"] == "running").then(|| execution["worker"].as_str().unwrap().to_owned())
        })
    }

    /// Waits until nothing waits and nothing runs; returns the figures of that moment.
    pub(super) fn quiet(&self) -> Value {
        until("everything has ended", || {
            let stats = self.client.stats();
            (stats["by_status"]["queued"] == 0 && stats["by_status"]["running"] == 0).then_some(stats)
        })
    }
}

/// A read that takes about so many seconds.
pub(super) fn slow_read(seconds: u32) -> Value {
    json!({ "type": "network.ping", "data": {
        "address": "127.0.0.1", "count": seconds + 1, "timeout_seconds": 2 * (seconds + 1),
    } })
}

/// A read that takes no time.
pub(super) fn read() -> Value {
    json!({ "type": "node.uptime.get" })
}

/// The id of a job.
pub(super) fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

/// The hosts of a job's executions, in order, each with its status.
pub(super) fn hosts(job: &Value) -> Vec<(&str, &str)> {
    let executions = job["executions"].as_array().unwrap().iter();
    let mut hosts: Vec<(&str, &str)> = executions
        .map(|execution| (execution["worker"].as_str().unwrap_or("nobody"), execution["status"].as_str().unwrap()))
        .collect();
    hosts.sort_unstable();
    hosts
}

/// What a job's first execution failed of.
pub(super) fn error_kind(job: &Value) -> &Value {
    &job["executions"][0]["error"]["kind"]
}

/// What the series with this name add up to over several processes.
pub(super) fn sum<'a>(members: impl IntoIterator<Item = &'a Member>, name: &str) -> f64 {
    members.into_iter().map(|member| member.page().sum(name)).sum()
}
