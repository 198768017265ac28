//! What the README tells a newcomer to type.

use std::process::Command;

use super::Home;

/// The block of shell lines that contains `words`.
fn block(words: &str) -> String {
    let readme = include_str!("../../../README.md");
    let mut blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(words)).unwrap().to_owned()
}

#[test]
fn the_lines_that_submit_read_and_count_a_job_work_as_they_stand() {
    let home = Home::new();
    let (server, _) = home.serve();
    let lines = block("node.memory.get")
        .replace("localhost:8080", server.url().strip_prefix("http://").unwrap())
        .replace("target/release/osapi", env!("CARGO_BIN_EXE_osapi"));
    let mut shell = Command::new("bash");
    let ran = shell.args(["-euo", "pipefail", "-c", &lines]).current_dir(home.path("")).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains(r#""status":"completed""#) && said.contains(r#""total_bytes":"#), "{said}");
    let counted = r#"osapi_jobs_completed_total{operation="node.memory.get",status="completed"} 1"#;
    assert!(said.trim_end().ends_with(counted), "{said}");
}

#[test]
fn the_start_and_the_tests_are_the_commands_that_it_names() {
    assert_eq!(block("cargo run").trim(), "cargo run --release -- start");
    assert_eq!(block("make test").trim(), "make test");
    assert!(include_str!("../../../.ci/run").contains("step make test\n"));
}
