//! A directory with a configuration, and the processes that are started in it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::Client;

/// What tests start with: any free port, metrics on, and a worker whose name and labels are known.
const CONFIGURATION: &str = "\
data_dir: ./data
api: {server: {port: 0}}
job: {worker: {hostname: web-1, labels: {group: web.dev.eu}}}
telemetry: {metrics: {enabled: true}}
";

/// A working directory. What was stored in it outlives the processes that are started in it.
pub(crate) struct Home {
    directory: TempDir,
    env: Vec<(String, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("osapi.yaml"), CONFIGURATION).unwrap();
        Self { directory, env: Vec::new() }
    }

    /// With a configuration key, as its environment variable.
    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.env.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// With metrics off.
    pub(crate) fn without_metrics(self) -> Self {
        self.with("OSAPI_TELEMETRY__METRICS__ENABLED", "false")
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// The program with this directory and nothing of the test's own configuration.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_osapi"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OSAPI_")) {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.directory.path()).envs(self.env.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts a server and waits until it says that it is ready.
    pub(crate) fn start(&self) -> Running {
        self.start_as(&["start"], "token")
    }

    /// Starts a process by these words and waits until it has said the line of its greeting with this name, the last.
    pub(crate) fn start_as(&self, words: &[&str], last: &str) -> Running {
        Self::ready(self.command(words), self.path("log"), last)
    }

    /// The same by another program, whose last argument is the path of this one.
    pub(crate) fn start_by(&self, program: &[&str]) -> Running {
        let own = self.command(&[]);
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(own.get_program()).stdin(Stdio::null());
        command.current_dir(own.get_current_dir().unwrap());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self::ready(command, self.path("log"), "token")
    }

    fn ready(mut command: Command, log: PathBuf, last: &str) -> Running {
        let last = format!("\n  {last} ");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut greeting = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !greeting.contains(&last) {
            if lines.read_line(&mut greeting).unwrap() == 0 {
                let status = child.wait().unwrap();
                panic!("the server did not start ({status}):\n{greeting}{}", fs::read_to_string(&log).unwrap());
            }
        }
        Running { child, greeting, log }
    }

    /// Makes the signing key of this directory, as the first start does it.
    pub(crate) fn make_key(&self) {
        assert_eq!(self.start().stop().code(), Some(0));
    }

    /// A token with this role, signed with the key of this directory.
    pub(crate) fn token(&self, role: &str) -> String {
        let made = self.run(&["token", "generate", "--role", role]);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Starts a server, with a client that may do everything.
    pub(crate) fn serve(&self) -> (Running, Client) {
        let server = self.start();
        let client = Client::new(server.url(), &self.token("admin"));
        (server, client)
    }
}

/// Waits until a file has what is looked for.
pub(crate) fn read_until(path: &Path, found: impl Fn(&str) -> bool) {
    while !fs::read_to_string(path).is_ok_and(|text| found(&text)) {
        std::thread::yield_now();
    }
}

/// A started process; killed when dropped.
pub(crate) struct Running {
    child: Child,
    greeting: String,
    log: PathBuf,
}

impl Running {
    /// What it said when it was ready.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// A line of its greeting, without its name.
    pub(crate) fn greeted(&self, name: &str) -> &str {
        let line = self.greeting.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.greeting)).trim_start()
    }

    /// Where it serves, without a path.
    pub(crate) fn url(&self) -> &str {
        self.greeted("API").strip_suffix("/api/v1/jobs").unwrap()
    }

    /// Where its metrics are.
    pub(crate) fn metrics_url(&self) -> &str {
        self.greeted("metrics")
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has logged what is looked for.
    pub(crate) fn log_until(&self, found: impl Fn(&str) -> bool) {
        read_until(&self.log, found);
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Kills it at once.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        self.ended();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
