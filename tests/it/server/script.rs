//! A command that a test can follow.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Command,
};

use rustix::process::{Pid, test_kill_process_group};
use serde_json::{Value, json};

use super::Home;

/// A script that counts its starts, announces each with its process id, and goes on as told.
pub(crate) struct Script {
    starts: PathBuf,
    announced: PathBuf,
}

impl Script {
    pub(crate) fn new(home: &Home) -> Self {
        let script = Self { starts: home.path("starts"), announced: home.path("announced") };
        assert!(Command::new("mkfifo").arg(&script.announced).status().unwrap().success());
        script
    }

    /// The operation that runs it.
    pub(crate) fn then(&self, rest: &str) -> Value {
        let text = format!("echo start >> {}; echo $$ > {}; {rest}", self.starts.display(), self.announced.display());
        json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", text], "timeout_seconds": 600 } })
    }

    /// Waits until it has started; returns its process id.
    pub(crate) fn started(&self) -> Pid {
        let mut line = String::new();
        BufReader::new(fs::File::open(&self.announced).unwrap()).read_line(&mut line).unwrap();
        Pid::from_raw(line.trim().parse().unwrap()).unwrap()
    }

    pub(crate) fn starts(&self) -> usize {
        fs::read_to_string(&self.starts).unwrap_or_default().lines().count()
    }
}

/// Waits until nothing of the process group is left. What was killed is there until its parent, or init, collects it.
pub(crate) fn gone(group: Pid) {
    while test_kill_process_group(group).is_ok() {
        std::thread::yield_now();
    }
}
