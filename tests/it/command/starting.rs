//! What may run, and what it is started with.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use osapi::{domain::FailureKind, ports::driven::OperationExecutor};

use super::scene::{Fifo, Running, executor};

/// What a command that must succeed wrote.
async fn stdout(argv: &[&str]) -> String {
    Running::start(argv).end().await.expect("it runs").stdout
}

#[tokio::test]
async fn arguments_arrive_literally() {
    let arguments =
        ["", "a b", "'\"`", "$HOME", "*", "line\nbreak", "-n", "--", "ä\u{1f4a1}", "\\0", "$(id)", ";", "~"];
    let argv = [&["/usr/bin/printf", "%s\\0"], &arguments[..]].concat();
    let written = stdout(&argv).await;
    assert_eq!(written.strip_suffix('\0').expect("the end").split('\0').collect::<Vec<_>>(), arguments);
}

#[tokio::test]
async fn an_argument_may_be_as_long_as_the_door_lets_through() {
    let program = "/usr/bin/printf";
    let long = "x".repeat(osapi::domain::operation::command_exec::ARGV_BYTES - program.len() - 2);
    assert_eq!(stdout(&[program, "%s", &long]).await, long);
}

#[tokio::test]
async fn the_environment_is_what_is_documented_and_nothing_else() {
    assert!(std::env::vars().count() > 3, "there is something to keep out");
    let page = include_str!("../../../docs/commands.md");
    let (_, documented) = page.split_once("```text\n").expect("the environment");
    let documented: Vec<&str> = documented.lines().map(str::trim).take_while(|line| *line != "```").collect();
    let found = stdout(&["/usr/bin/env"]).await;
    assert_eq!(found.lines().collect::<Vec<_>>(), documented);
}

#[tokio::test]
async fn a_program_starts_in_the_root_directory_with_nothing_to_read() {
    assert_eq!(stdout(&["/bin/pwd"]).await, "/\n");
    assert_eq!(stdout(&["/bin/cat"]).await, "");
}

#[tokio::test]
async fn a_program_leads_a_process_group_of_its_own() {
    let stat = stdout(&["/bin/sh", "-c", "read -r stat < /proc/$$/stat; echo \"$stat\""]).await;
    let fields: Vec<&str> = stat.split(' ').collect();
    // Process, parent and group: proc_pid_stat(5), fields 1, 4 and 5.
    assert_eq!(fields[3], std::process::id().to_string());
    assert_eq!(fields[4], fields[0]);
}

#[tokio::test]
async fn only_what_is_listed_runs_by_the_spelling_on_the_list() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("echo");
    symlink("/bin/echo", &link).unwrap();
    let link = link.to_str().unwrap();
    let allowed = executor(&["/bin/echo"]);
    assert!(allowed.commands_enabled());
    for program in
        ["/bin/sh", "/bin/../bin/echo", "/bin//echo", "/bin/./echo", "/bin/echo/", "/usr/bin/echo", "/bin/ECHO", link]
    {
        let (failure, kept) = Running::start_on(&allowed, &[program, "x"]).end().await.expect_err("refused");
        assert_eq!((failure.kind, kept), (FailureKind::NotAllowed, None), "{program}");
    }
    assert!(Running::start_on(&allowed, &["/bin/echo", "x"]).end().await.is_ok());
}

#[tokio::test]
async fn nothing_runs_where_nothing_is_listed() {
    let none = executor(&[]);
    assert!(!none.commands_enabled());
    let (failure, _) = Running::start_on(&none, &["/bin/true"]).end().await.expect_err("refused");
    assert_eq!(failure.kind, FailureKind::NotAllowed);
}

#[tokio::test]
async fn a_listed_link_runs_what_it_leads_to() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("say");
    symlink("/bin/echo", &link).unwrap();
    assert_eq!(stdout(&[link.to_str().unwrap(), "hello"]).await, "hello\n");
}

#[tokio::test]
async fn what_cannot_be_started_fails_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8], mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let long = format!("/{}", "x".repeat(300));
    for (program, words) in [
        ("/nowhere/at/all".to_owned(), "there is no such file"),
        (file("orphan", b"#!/nowhere/sh\n", 0o755), "its interpreter is missing"),
        (file("plain", b"#!/bin/sh\n", 0o644), "not executable"),
        (directory.path().to_str().unwrap().to_owned(), "not executable"),
        ("/bin/echo/x".to_owned(), "Not a directory"),
        (file("broken", b"\x7fELF", 0o755), "Exec format error"),
        (long, "File name too long"),
    ] {
        let (failure, kept) = Running::start(&[&program]).end().await.expect_err("it cannot start");
        assert_eq!((failure.kind, kept), (FailureKind::Operation, None), "{program}");
        assert!(failure.message.contains(words), "{program}: {}", failure.message);
    }
}

#[tokio::test]
async fn a_command_that_must_stop_before_its_start_is_not_started() {
    let fifo = Fifo::new();
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let running = Running::script(": > \"$1\"; echo started > \"$2\"", &[trace.to_str().unwrap(), fifo.path()]);
    // The runtime has this one thread, so nothing was polled yet.
    running.stop();
    let (failure, kept) = running.end().await.expect_err("it did not run");
    assert_eq!((failure.kind, kept), (FailureKind::Operation, None));
    assert!(!trace.exists());
}
