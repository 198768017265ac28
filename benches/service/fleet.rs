//! A fleet on one machine: a NATS server, one API process and two workers, with the clients on the same processors.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    client::{Clients, Measured},
    jobs::{created, until_completed, wait_for_jobs},
    report::{each, line, mebibytes, median, part, rate, time},
    scene::Effort,
    server::{PROGRAM, Server, command, processor_time, resident},
    submits::submit,
};

/// Where `make nats-server` puts it.
const NATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/nats-server");
const WORKERS: [&str; 2] = ["bench-1", "bench-2"];

/// A process that ends with the benchmark.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its processes, in the order of their end.
struct Fleet {
    workers: Vec<Ended>,
    api: Server,
    nats: Ended,
    clients: Clients,
    settings: Vec<(&'static str, String)>,
    _directory: TempDir,
}

impl Fleet {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (nats, url) = nats(directory.path());
        let settings = vec![("OSAPI_JOB__QUEUE__BACKEND", "nats".to_owned()), ("OSAPI_JOB__QUEUE__NATS__URL", url)];
        let clients = Clients::new();
        let api = api(&clients, directory.path(), &settings);
        let worker = |hostname: &&str| {
            let words = [PROGRAM, "job", "worker", "start", "--hostname", hostname, "--listen", "127.0.0.1:0"];
            let mut command = command(&words, directory.path(), &[]);
            command.envs(settings.iter().map(|(name, value)| (name, value)));
            command.env_remove("OSAPI_API__SERVER__SECURITY__SIGNING_KEY");
            Ended(command.stdout(Stdio::null()).spawn().expect("it starts"))
        };
        let workers = WORKERS.iter().map(worker).collect();
        let fleet = Self { workers, api, nats, clients, settings, _directory: directory };
        fleet.wait_for_workers();
        fleet
    }

    fn wait_for_workers(&self) {
        let begun = Instant::now();
        let request = self.api.request("GET", "/api/v1/workers", "", "");
        while WORKERS.iter().any(|name| !self.clients.ask(self.api.address, &request).1.contains(name)) {
            assert!(begun.elapsed() < Duration::from_secs(10), "the workers are connected");
            sleep(Duration::from_millis(5));
        }
    }

    /// Processor time of API, workers and NATS server.
    fn processor_times(&self) -> [Duration; 3] {
        let workers = self.workers.iter().map(|worker| processor_time(&worker.0)).sum();
        [self.api.processor_time(), workers, processor_time(&self.nats.0)]
    }
}

/// An API process with its copy of the jobs in this directory.
fn api(clients: &Clients, directory: &Path, settings: &[(&str, String)]) -> Server {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Server::serve(&[PROGRAM, "api", "server", "start"], clients, directory, &settings)
}

/// A NATS server on any free port, and its address.
fn nats(directory: &Path) -> (Ended, String) {
    let file = directory.join("nats.conf");
    let store = directory.join("nats");
    let settings = format!("listen: \"127.0.0.1:-1\"\njetstream {{ store_dir: \"{}\" }}\n", store.display());
    fs::write(&file, settings).expect("written");
    let mut server = Command::new(NATS);
    server.arg("--config").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = server.spawn().expect("`make nats-server` fetches the server");
    let mut said = BufReader::new(process.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let port = said
        .by_ref()
        .find_map(|line| line.split_once("client connections on 127.0.0.1:").map(|(_, port)| port.to_owned()));
    // What it says later must not fill the pipe.
    std::thread::spawn(move || said.for_each(drop));
    let port = port.expect("it says where it listens");
    (Ended(process), format!("nats://127.0.0.1:{}", port.trim()))
}

pub(crate) fn run(effort: Effort) {
    part("A fleet: NATS with one replica, one API process, two workers with 10 slots each, metrics off");
    let fleet = &Fleet::start();
    let (clients, served) = (&fleet.clients, &fleet.api);
    wait_for_jobs(clients, served, 64, effort.count(5_000));

    let count = effort.count(20_000);
    let before = fleet.processor_times();
    let rounds = Measured::rounds(effort.rounds(3), || wait_for_jobs(clients, served, 64, count));
    let after = fleet.processor_times();
    line("64 clients that wait, median of the rounds", &rate(rounds.per_second), "≥ 4000/s");
    line("64 clients that wait, p50, p99", &rounds.p50_p99(), "");
    for ((name, before), after) in ["API", "workers", "NATS server"].iter().zip(before).zip(after) {
        let used = each(after.saturating_sub(before), rounds.latencies.len());
        line(&format!("64 clients that wait, processor time for each: {name}"), &time(used), "");
    }
    let mut rates: Vec<f64> = (0..effort.rounds(3)).map(|_| until_completed(clients, served, count)).collect();
    line("64 clients that do not wait, until all have completed", &rate(median(&mut rates)), "≥ 4000/s");

    let alone = wait_for_jobs(clients, served, 1, effort.count(3_000));
    line("one job alone, p50, p99", &alone.p50_p99(), "p50 ≤ 5 ms");

    for name in WORKERS {
        let drain = served.request("POST", &format!("/api/v1/workers/{name}/drain"), "", "");
        assert_eq!(clients.ask(served.address, &drain).0, 200);
    }
    let submits = Measured::rounds(effort.rounds(3), || submit(clients, served, 64, count));
    line("64 clients that only submit, median of the rounds", &rate(submits.per_second), "");
    line("64 clients that only submit, p50, p99", &submits.p50_p99(), "");

    let fill = 100_000_usize.saturating_sub(effort.count(5_000) + count * effort.rounds(3) * 3 + effort.count(3_000));
    if effort == Effort::Full && fill > 0 {
        submit(clients, served, 64, fill);
    }
    let jobs = created(clients, served);
    line(&format!("memory of the API process after {jobs} jobs"), &mebibytes(served.resident()), "");
    line(&format!("memory of a worker after {jobs} jobs"), &mebibytes(resident(&fleet.workers[0].0)), "");
    line(&format!("memory of the NATS server after {jobs} jobs"), &mebibytes(resident(&fleet.nats.0)), "");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let cold = api(clients, directory.path(), &fleet.settings);
    line("a second API process has made its copy of these jobs after", &time(cold.ready_after), "");
    line("memory of that process", &mebibytes(cold.resident()), "");
    cold.stop();
    let again = api(clients, directory.path(), &fleet.settings);
    line("the same with its copy from before is ready after", &time(again.ready_after), "");
}
