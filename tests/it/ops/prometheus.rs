//! Prometheus as a process: the shipped configuration and rules, scraping one server every second.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

use super::rules::{file, text};

/// How long Prometheus may take to see something.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time between two looks; it scrapes once a second.
const PAUSE: Duration = Duration::from_millis(100);

/// A Prometheus with a directory of its own; killed when dropped.
pub(super) struct Prometheus {
    child: Child,
    url: String,
    agent: Agent,
    log: Receiver<String>,
    _directory: TempDir,
}

/// The shipped configuration, for a server that is elsewhere and for a test that is in a hurry.
fn configuration(target: &str) -> String {
    let mut text = text("ops/prometheus/prometheus.yml");
    let rules = format!("- {}/*.yml", file("ops/prometheus/rules").display());
    for (shipped, here) in [
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("scrape_timeout: 10s", "scrape_timeout: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("- rules/*.yml", rules.as_str()),
        ("- 127.0.0.1:8080", &format!("- {target}")),
    ] {
        assert_eq!(text.matches(shipped).count(), 1, "{shipped}");
        text = text.replace(shipped, here);
    }
    text
}

impl Prometheus {
    /// Starts one that scrapes the server with this URL, and waits until it answers.
    pub(super) fn scraping(server: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("prometheus.yml");
        std::fs::write(&config, configuration(server.strip_prefix("http://").unwrap())).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus is on the path; `make test` installs it");
        let log = lines(BufReader::new(child.stderr.take().unwrap()));
        let mut prometheus =
            Self { child, url: String::new(), agent: Agent::new_with_defaults(), log, _directory: directory };
        let listening = prometheus.logged("msg=\"Listening on\" address=");
        let address = listening.rsplit_once("address=").unwrap().1;
        prometheus.url = format!("http://{address}");
        prometheus.logged("Server is ready to receive web requests");
        prometheus
    }

    /// The first line from here on that holds these words.
    fn logged(&self, words: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no {words}: {error}: {seen:#?}"));
            if line.contains(words) {
                return line;
            }
            seen.push(line);
        }
    }

    /// Where it answers.
    pub(super) fn address(&self) -> &str {
        &self.url
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let mut request =
            self.agent.get(format!("{}/api/v1/{path}", self.url)).config().http_status_as_error(false).build();
        for (name, value) in query {
            request = request.query(name, value);
        }
        let answer: Value = request.call().unwrap().body_mut().read_json().unwrap();
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer["error"].to_string()) }
    }

    /// The series that a query gives now; the error is Prometheus' own.
    pub(super) fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let data = self.get("query", &[("query", expr)])?;
        Ok(data["result"].as_array().unwrap_or_else(|| panic!("{expr} gives no series: {data}")).clone())
    }

    /// The value of the one series that a query gives now; none when it gives none.
    pub(super) fn value(&self, expr: &str) -> Option<f64> {
        let series = self.query(expr).unwrap();
        assert!(series.len() < 2, "{expr}: {series:?}");
        Some(series.first()?["value"][1].as_str().unwrap().parse().unwrap())
    }

    /// All rules with their state.
    pub(super) fn rules(&self) -> Vec<Value> {
        let groups = self.get("rules", &[]).unwrap();
        let groups = groups["groups"].as_array().unwrap();
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }

    /// Looks until nothing is missing. What is, is named when the time is over.
    pub(super) fn until_nothing_is_missing(&self, missing: impl Fn(&Self) -> Vec<String>) {
        let begun = Instant::now();
        loop {
            let left = missing(self);
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "Prometheus has not seen {left:#?}");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a log, read in a thread of its own, so that its writer never waits for us.
fn lines(log: impl BufRead + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}
