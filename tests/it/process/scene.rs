//! A server whose worker runs a shell, and what its commands and the kernel say about it.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::server::{Client, Home, Running};

pub(super) const KEY: &str = "OSAPI_API__SERVER__SECURITY__SIGNING_KEY";
pub(super) const SECRET: &str = "a secret of 38 bytes for signed tokens";

/// A home whose worker runs a shell.
pub(super) fn home() -> Home {
    Home::new().with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "/bin/sh")
}

/// A server that was started by a program, which gets the path of this one as its last argument, and a client that may do
/// everything.
pub(super) fn serve_by(home: &Home, program: &[&str]) -> (Running, Client) {
    let server = home.start_by(program);
    let client = Client::new(server.url(), &home.token("admin"));
    (server, client)
}

/// What a script of the shell says as a command of a job, standard error included; it may fail.
pub(super) fn said(client: &Client, script: &str) -> String {
    let command = ["/bin/sh", "-c", &format!("exec 2>&1; {script}")];
    let operation = json!({ "type": "command.exec", "data": { "command": command } });
    let job = client.submit(&operation, "_any", &[("prefer", "wait=30")]);
    let result = &job["executions"][0]["result"];
    result["stdout"].as_str().unwrap_or_else(|| panic!("no output: {job}")).to_owned()
}

/// A file of a process in proc(5), with spaces in the place of zero bytes.
pub(super) fn proc(process: impl std::fmt::Display, file: &str) -> String {
    String::from_utf8(fs::read(format!("/proc/{process}/{file}")).unwrap()).unwrap().replace('\0', " ")
}

/// The words of `/proc/PID/stat` behind the name of the program; the first of them is the third field of the manual.
pub(super) fn stat(text: &str) -> Vec<&str> {
    text.rsplit_once(") ").unwrap().1.split_whitespace().collect()
}

/// Gives a directory and what is in it to a user that is not root, by number.
pub(super) fn give(path: &Path, user: &str) {
    assert!(Command::new("chown").args(["-R", user]).arg(path).status().unwrap().success());
}

/// Whether the tests may become another user.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
