//! What signals do to a service, as its first process and otherwise.

use std::{fs, process::Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::scene::{home, proc, said, serve_by};
use crate::server::{Client, Script};

#[test]
fn a_signal_that_asks_for_nothing_ends_neither_the_service_nor_what_runs() {
    let home = home();
    let script = Script::new(&home);
    let (server, client) = home.serve();
    let go_on = home.path("proceed");
    assert!(Command::new("mkfifo").arg(&go_on).status().unwrap().success());
    let job = client.submit(&script.then(&format!("cat {}", go_on.display())), "_any", &[]);
    script.started();
    for (signal, told) in [
        (Signal::HUP, "the configuration is read at the next start"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, ""),
        (Signal::XFSZ, ""),
    ] {
        server.signal(signal);
        server.log_until(|log| log.contains(told));
    }
    client.get("/health/ready").expect(200);
    fs::write(&go_on, "went on\n").unwrap();
    let job = client.ended(job["id"].as_str().unwrap());
    assert_eq!(job["executions"][0]["result"]["stdout"], "went on\n", "{job}");
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn the_end_of_a_terminal_ends_neither_the_service_nor_what_runs() {
    let home = home();
    let script = Script::new(&home);
    let terminal = "exec script --quiet --flush --return --command \"$0 start 2> log\" /dev/null";
    let (terminal, client) = serve_by(&home, &["sh", "-c", terminal]);
    let service = Pid::from_raw(said(&client, "echo $PPID").trim().parse().unwrap()).unwrap();
    let go_on = home.path("proceed");
    assert!(Command::new("mkfifo").arg(&go_on).status().unwrap().success());
    let job = client.submit(&script.then(&format!("cat {}", go_on.display())), "_any", &[]);
    script.started();
    terminal.kill();
    crate::server::read_until(&home.path("log"), |log| log.contains("SIGHUP"));
    fs::write(&go_on, "went on\n").unwrap();
    let job = client.ended(job["id"].as_str().unwrap());
    assert_eq!(job["executions"][0]["result"]["stdout"], "went on\n", "{job}");
    kill_process(service, Signal::TERM).unwrap();
    crate::server::read_until(&home.path("log"), |log| log.contains("stopped"));
}

#[test]
fn sigquit_is_a_polite_stop() {
    let home = home();
    let server = home.start();
    server.signal(Signal::QUIT);
    assert_eq!(server.ended().code(), Some(0));
}

/// A server in a process namespace of its own, in which it is the first process.
fn first_process(home: &crate::server::Home) -> (crate::server::Running, Client) {
    serve_by(
        home,
        &[
            "unshare",
            "--map-root-user",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            "exec \"$0\" start",
        ],
    )
}

#[test]
fn the_first_process_of_a_container_collects_what_commands_leave_and_keeps_its_secrets() {
    let home = home().with(super::scene::KEY, super::scene::SECRET);
    let (server, client) = first_process(&home);
    assert_eq!(said(&client, "cat /proc/1/comm").trim(), "osapi");
    // Each command leaves a daemon that ends after its parent; a command that looks for the dead waits for that.
    for _ in 0..10 {
        let left = said(
            &client,
            "for i in 1 2 3; do setsid sh -c 'sleep 0.0$1; exit 3' sh $i > /dev/null 2>&1 & done; echo left",
        );
        assert_eq!(left, "left\n");
    }
    let count = "while pgrep -x sleep > /dev/null; do :; done; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l";
    let until_none = format!("until [ \"$({count})\" = 0 ]; do :; done; {count}");
    assert_eq!(said(&client, &until_none).trim(), "0", "all were collected");
    // The exit codes of the service's own commands are not taken away from it.
    for code in [0, 7] {
        let operation =
            json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", format!("exit {code}")] } });
        let job = client.submit(&operation, "_any", &[("prefer", "wait=30")]);
        assert_eq!(job["executions"][0]["result"]["exit_code"], code, "{job}");
    }
    let environments = said(&client, "cat /proc/[0-9]*/environ | tr '\\0' '\\n'");
    assert!(environments.contains("OSAPI_") && !environments.contains(super::scene::SECRET), "{environments}");
    client.get("/health/ready").expect(200);
    drop(server);
}

#[test]
fn the_first_process_of_a_container_passes_signals_on_and_ends_as_the_service_ends() {
    let home = home();
    let (server, client) = first_process(&home);
    // Seen from outside: unshare(1), the first process, the service.
    let child = |pid: &str| {
        let children = proc(pid, &format!("task/{pid}/children"));
        children.trim().to_owned()
    };
    let first = child(&server.pid().as_raw_nonzero().to_string());
    assert_eq!(child(&first).split(' ').count(), 1);
    let first = Pid::from_raw(first.parse().unwrap()).unwrap();
    kill_process(first, Signal::HUP).unwrap();
    server.log_until(|log| log.contains("SIGHUP"));
    client.get("/health/ready").expect(200);
    kill_process(first, Signal::TERM).unwrap();
    server.log_until(|log| log.contains("stopped"));
    assert_eq!(server.ended().code(), Some(0));

    let wrong = home.with("OSAPI_LOG__LEVEL", "loud");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--pid", "--fork", "--mount-proc"]).arg(env!("CARGO_BIN_EXE_osapi")).arg("start");
    command.current_dir(wrong.path("")).env("OSAPI_LOG__LEVEL", "loud");
    assert_eq!(command.output().unwrap().status.code(), Some(64));
}
