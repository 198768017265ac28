//! The command line as a script sees it: exit codes and streams.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
};

use super::*;

struct Ran {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a command with a configuration file of its own, so that no file of the system is read.
fn osapi(yaml: &str, args: &[&str], stdin: &str) -> Ran {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("osapi.yaml");
    fs::write(&file, format!("job: {{worker: {{hostname: web-1}}}}\n{yaml}")).expect("written");
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut process = Process {
        program: "osapi".to_owned(),
        env: vec![(OsString::from("OSAPI_CONFIG"), file.into_os_string())],
        stdin: &mut stdin.as_bytes(),
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    let status = run(["osapi"].iter().chain(args).map(OsString::from), &mut process);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { status, stdout: text(stdout), stderr: text(stderr) }
}

#[test]
fn the_exit_codes_are_those_that_are_documented() {
    assert_eq!([ExitStatus::Success, ExitStatus::Failed, ExitStatus::Usage].map(ExitStatus::code), [0, 1, 64]);
}

#[test]
fn help_and_version_are_answers() {
    for (flag, expected) in [("--help", "Usage: osapi"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let ran = osapi("", &[flag], "");
        assert_eq!((ran.status, ran.stderr.as_str()), (ExitStatus::Success, ""), "{flag}");
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
    }
}

#[test]
fn bad_usage_is_64_and_leaves_standard_output_alone() {
    for args in [&[][..], &["fly"], &["config"], &["config", "show", "--output", "xml"], &["start", "--prot", "1"]] {
        let ran = osapi("", args, "");
        assert_eq!((ran.status, ran.stdout.as_str()), (ExitStatus::Usage, ""), "{args:?}");
        assert!(ran.stderr.contains("--help") || ran.stderr.contains("Usage: osapi"), "{args:?} gave {}", ran.stderr);
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_64_for_every_command_that_reads_it() {
    for args in [&["config", "show"][..], &["config", "check"], &["start"]] {
        let ran = osapi("log: {level: loud}", args, "");
        assert_eq!(ran.status, ExitStatus::Usage, "{args:?}");
        assert!(ran.stderr.starts_with("osapi: invalid value `loud` for `log.level`"), "{}", ran.stderr);
    }
    let ran = osapi("", &["start", "--port", "80.6"], "");
    assert_eq!(ran.status, ExitStatus::Usage);
    assert!(ran.stderr.contains("`80.6` for `api.server.port` (flag --port)"), "{}", ran.stderr);
}

#[test]
fn the_configuration_is_shown_with_origins_or_as_json() {
    let yaml = "api: {server: {port: 9090, security: {signing_key: 0123456789012345678901234567890123}}}";
    let shown = osapi(yaml, &["config", "show"], "");
    assert_eq!(shown.status, ExitStatus::Success, "{}", shown.stderr);
    assert!(
        shown.stdout.contains("    port: 9090  # ") && shown.stdout.contains("osapi.yaml, line 2\n"),
        "{}",
        shown.stdout
    );

    let json = osapi(yaml, &["config", "show", "--output", "json"], "");
    let value: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(value["api"]["server"]["port"], 9090);
    assert_eq!(value["telemetry"]["metrics"]["enabled"], false);
    assert_eq!(value["api"]["server"]["security"]["signing_key"], "<redacted>");
    assert!(!shown.stdout.contains("0123456789") && !json.stdout.contains("0123456789"));
}

#[test]
fn a_check_says_whether_the_configuration_is_valid() {
    let ran = osapi("", &["config", "check"], "");
    assert_eq!((ran.status, ran.stdout.contains("is valid")), (ExitStatus::Success, true), "{}", ran.stderr);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("fleet.yaml");
    fs::write(&file, "job: {queue: {backend: nats}}").expect("written");
    let ran = osapi("", &["config", "check", "--config", &file.to_string_lossy()], "");
    assert!(ran.stdout.contains("serves the API cannot") && ran.stdout.contains("signing_key"), "{}", ran.stdout);
    let ran = osapi("log: {level: loud}", &["config", "check", "--output", "json"], "");
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.status, &value["valid"]), (ExitStatus::Usage, &serde_json::Value::Bool(false)));
    assert!(value["error"].as_str().is_some_and(|error| error.contains("log.level")), "{value}");

    let two = osapi("log: {level: loud, format: xml}", &["config", "check"], "");
    let lines: Vec<&str> = two.stderr.lines().collect();
    assert_eq!((two.status, lines.len()), (ExitStatus::Usage, 2), "{}", two.stderr);
    assert!(lines.iter().all(|line| line.starts_with("osapi: invalid value ")), "{}", two.stderr);
    let two = osapi("log: {level: loud, format: xml}", &["config", "check", "--output", "json"], "");
    let value: serde_json::Value = serde_json::from_str(&two.stdout).expect("JSON");
    assert_eq!(value["errors"].as_array().map(Vec::len), Some(2), "{value}");
}

/// A reader that has closed its end, or a disk without space.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure_but_a_full_disk_is() {
    for (kind, expected) in
        [(io::ErrorKind::BrokenPipe, ExitStatus::Success), (io::ErrorKind::StorageFull, ExitStatus::Failed)]
    {
        let mut stderr = Vec::new();
        let mut process = Process {
            program: "osapi".to_owned(),
            env: Vec::new(),
            stdin: &mut io::empty(),
            stdout: &mut Broken(kind),
            stderr: &mut stderr,
        };
        assert_eq!(run(["osapi", "--help"].map(OsString::from), &mut process), expected);
        assert_eq!(stderr.is_empty(), expected == ExitStatus::Success);
    }
}
