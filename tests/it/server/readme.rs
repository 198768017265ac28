//! What the README tells a newcomer to type.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use super::Home;

/// The block of shell lines that contains `words`.
fn block(words: &str) -> String {
    let readme = include_str!("../../../README.md");
    let mut blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(words)).unwrap().to_owned()
}

/// What the README's lines say on a machine that has these programs beside the basic ones.
fn said_with(formatters: &[&str]) -> String {
    let home = Home::new();
    let (server, _) = home.serve();
    let lines = block("node.memory.get")
        .replace("localhost:8080", server.url().strip_prefix("http://").unwrap())
        .replace("target/release/osapi", env!("CARGO_BIN_EXE_osapi"));
    let programs = home.path("programs");
    fs::create_dir(&programs).unwrap();
    for program in ["curl", "grep", "cat"].iter().chain(formatters) {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        // By a script: the real program may want to know its own place.
        let script = format!("#!/bin/sh\nPATH={} exec {} \"$@\"\n", env!("PATH"), found.trim());
        fs::write(programs.join(program), script).unwrap();
        fs::set_permissions(programs.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut shell = Command::new("/bin/bash");
    shell.args(["-euo", "pipefail", "-c", &lines]).current_dir(home.path("")).env("PATH", &programs);
    let ran = shell.output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let counted = r#"osapi_jobs_completed_total{operation="node.memory.get",status="completed"} 1"#;
    assert!(said.trim_end().ends_with(counted), "{said}");
    said
}

#[test]
fn the_lines_that_submit_read_and_count_a_job_work_as_they_stand_whatever_formats_the_answer() {
    let formatted = said_with(&["python3"]);
    let lines = |word: &str| formatted.lines().filter(|line| line.contains(word)).count();
    assert_eq!((lines(r#""status": "completed""#), lines(r#""total_bytes": "#)), (2, 1), "{formatted}");
    let plain = said_with(&[]);
    assert!(plain.contains(r#""status":"completed""#) && plain.contains(r#""total_bytes":"#), "{plain}");
}

/// Enterprise distributions ship curl 7.76, which has no `%header{}` (7.84) and no `--json` (7.82).
#[test]
fn the_lines_need_nothing_of_curl_that_old_versions_lack() {
    let lines = block("node.memory.get");
    let calls = lines.lines().filter_map(|line| line.split_once("curl ")).map(|(_, call)| call);
    for call in calls {
        let call = call.split(" | ").next().unwrap();
        let flags = call.split(' ').filter(|word| word.starts_with('-'));
        for flag in flags {
            assert!(["-s", "-H", "-d"].contains(&flag), "{flag} in: {call}");
        }
    }
    assert!(!lines.contains("%{") && !lines.contains("%header"), "{lines}");
}

#[test]
fn the_start_and_the_tests_are_the_commands_that_it_names() {
    assert_eq!(block("cargo run").trim(), "cargo run --release -- start");
    assert_eq!(block("make test").trim(), "make test");
    assert!(include_str!("../../../.ci/run").contains("step make test\n"));
}
