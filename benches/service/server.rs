//! The service under test: the release binary, with a data directory of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    param::clock_ticks_per_second,
    process::{Pid, Signal, kill_process},
};

use crate::client::{Clients, Request};

/// The program that is measured.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_osapi");
/// The name of its worker.
pub(crate) const WORKER: &str = "bench";
/// The signing key; a benchmark has no secrets.
const KEY: &str = "benchmarks-have-no-secrets-to-keep";

/// Configuration keys, as their environment variables, and values.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

pub(crate) const METRICS: (&str, &str) = ("OSAPI_TELEMETRY__METRICS__ENABLED", "true");
pub(crate) const PROCESS_CRASH: (&str, &str) = ("OSAPI_JOB__QUEUE__DURABILITY", "process_crash");

/// A running service. Stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// From the start of the process to its first answer that it is ready.
    pub(crate) ready_after: Duration,
}

/// The program with nothing but these settings around it.
pub(crate) fn command(words: &[&str], directory: &Path, settings: Settings<'_>) -> Command {
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .env_clear()
        .current_dir(directory)
        .env("OSAPI_DATA_DIR", directory.join("data"))
        .env("OSAPI_API__SERVER__PORT", "0")
        .env("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", KEY)
        .env("OSAPI_JOB__WORKER__HOSTNAME", WORKER)
        .env("OSAPI_JOB__QUEUE__MAX_DEPTH", "10000000")
        .env("OSAPI_LOG__LEVEL", "warn")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl Server {
    /// Starts the service on the store in this directory.
    pub(crate) fn start(clients: &Clients, directory: &Path, settings: Settings<'_>) -> Self {
        Self::start_as(&[PROGRAM], clients, directory, settings)
    }

    /// Starts it as another program, or under one that counts instructions.
    pub(crate) fn start_as(words: &[&str], clients: &Clients, directory: &Path, settings: Settings<'_>) -> Self {
        Self::serve(&[words, &["start"]].concat(), clients, directory, settings)
    }

    /// Starts a process that serves the API, by this command.
    pub(crate) fn serve(words: &[&str], clients: &Clients, directory: &Path, settings: Settings<'_>) -> Self {
        let token = token(directory, settings);
        let begun = Instant::now();
        let mut child = command(words, directory, settings).spawn().expect("it starts");
        let address = address(&mut child);
        let ready = Request::new("GET", "/health/ready", &token, "", "");
        // A copy of a fleet's jobs may have to be made first.
        loop {
            let (status, body) = clients.ask(address, &ready);
            if status == 200 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{status} {body}");
            sleep(Duration::from_millis(1));
        }
        Self { child, address, token, ready_after: begun.elapsed() }
    }

    pub(crate) fn request(&self, method: &str, path: &str, head: &str, body: &str) -> Request {
        Request::new(method, path, &self.token, head, body)
    }

    /// A request for a job that any worker may run and that takes no time.
    pub(crate) fn new_job(&self, head: &str) -> Request {
        let job = r#"{"operation":{"type":"node.hostname.get"},"target":"_any"}"#;
        self.request("POST", "/api/v1/jobs", head, job)
    }

    /// Lets the worker claim nothing.
    pub(crate) fn drain(&self, clients: &Clients) {
        let path = format!("/api/v1/workers/{WORKER}/drain");
        let (status, body) = clients.ask(self.address, &self.request("POST", &path, "", ""));
        assert_eq!(status, 200, "{body}");
    }

    /// Resident memory in KiB, by proc(5).
    pub(crate) fn resident(&self) -> u64 {
        resident(&self.child)
    }

    /// Does something, and says how much processor time the service used meanwhile.
    pub(crate) fn used_while<T>(&self, work: impl FnOnce() -> T) -> (T, Duration) {
        let before = self.processor_time();
        let done = work();
        (done, self.processor_time().saturating_sub(before))
    }

    /// Processor time that it has used, by proc(5).
    pub(crate) fn processor_time(&self) -> Duration {
        processor_time(&self.child)
    }

    /// How often its threads have gone to sleep and were woken, by proc(5).
    pub(crate) fn wake_ups(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let switches = tasks.filter_map(|task| {
            let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<usize>().ok()
        });
        switches.sum()
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), Pid::from_raw(self.child.id().cast_signed())) {
            // One that has just ended by itself needs no signal.
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Resident memory of a process in KiB, by proc(5).
pub(crate) fn resident(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Processor time that a process has used, by proc(5).
pub(crate) fn processor_time(process: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs");
    // The name in parentheses may contain anything; the state is the first field after it.
    let fields = stat.rsplit(')').next().expect("proc(5)").split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_nanos(ticks * 1_000_000_000 / clock_ticks_per_second())
}

fn token(directory: &Path, settings: Settings<'_>) -> String {
    let words = [PROGRAM, "token", "generate", "--role", "write"];
    let output = command(&words, directory, settings).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}

/// Where it listens, as it says itself.
fn address(child: &mut Child) -> SocketAddr {
    let stdout = child.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let url = lines.find_map(|line| Some(line.trim().strip_prefix("API")?.trim().to_owned()));
    let url = url.expect("it says where it listens");
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    address.and_then(|address| address.parse().ok()).expect("an address")
}
