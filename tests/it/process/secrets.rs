//! Where the secrets of a service are not.

use std::fs;

use serde_json::json;

use super::scene::{KEY, SECRET, give, home, is_root, proc, said, serve_by};
use crate::{
    queue::nats_server::NatsServer,
    server::{Client, Home},
};

/// A user that exists nowhere.
const OTHER_USER: &str = "65534";

#[test]
fn the_environment_of_the_process_holds_no_secret_not_even_for_root() {
    let home = home().with(KEY, SECRET).with("OSAPI_LOG__LEVEL", "info");
    let (server, client) = home.serve();
    let pid = server.pid().as_raw_nonzero();
    let environment = proc(pid, "environ");
    assert!(environment.contains("OSAPI_LOG__LEVEL=info") && !environment.contains(SECRET), "{environment}");
    // The process is the one that was started, by its id, its words and its name.
    assert_eq!(proc(pid, "cmdline").trim(), format!("{} start", env!("CARGO_BIN_EXE_osapi")));
    assert_eq!(proc(pid, "comm").trim(), "osapi");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap().to_str(), Some("/dev/null"));
    let environments = said(&client, "tr '\\0' '\\n' < /proc/$PPID/environ; echo --; env");
    let (_, own) = environments.split_once("--\n").unwrap();
    assert!(!environments.contains(SECRET), "{environments}");
    assert!(!own.contains("OSAPI_"), "{own}");
    // It has the secret all the same.
    client.get("/api/v1/workers").expect(200);
    let other = home.run(&["token", "validate", &home.token("read")]);
    assert!(other.status.success(), "{other:?}");
}

#[test]
fn a_mark_that_was_inherited_by_accident_is_no_reason_to_read_standard_input() {
    let home = home().with(KEY, SECRET).with("OSAPI_SECRETS_ON_STDIN", "1");
    let (server, client) = home.serve();
    client.get("/api/v1/workers").expect(200);
    assert!(!proc(server.pid().as_raw_nonzero(), "environ").contains(SECRET));
}

#[test]
fn a_command_of_the_same_user_can_read_neither_the_environment_nor_the_memory_nor_the_files_of_the_service() {
    if !is_root() {
        return;
    }
    let home = home().with(KEY, SECRET).with("OSAPI_CONFIG", "osapi.yaml");
    give(&home.path(""), OTHER_USER);
    let user = format!("--reuid={OTHER_USER}");
    let script = "exec \"$0\" start";
    let as_other_user = ["setpriv", &user, "--regid=65534", "--clear-groups", "sh", "-c", script];
    let (_server, client) = serve_by(&home, &as_other_user);
    assert_eq!(said(&client, "id -u").trim(), OTHER_USER);
    for attempt in
        ["cat /proc/$PPID/environ", "head -c 1 /proc/$PPID/mem", "ls /proc/$PPID/fd/", "cat /proc/$PPID/maps"]
    {
        let said = said(&client, attempt);
        assert!(said.contains("Permission denied") && said.lines().count() == 1, "{attempt}: {said}");
    }
    // What it needs of itself it can read all the same.
    let page = client.metrics();
    assert!(page.value("process_open_fds", &[]).is_some_and(|open| open > 3.0));
    for operation in ["node.status.get", "node.memory.get"] {
        let job = client.submit(&json!({ "type": operation }), "_any", &[("prefer", "wait=30")]);
        assert_eq!(job["status"], "completed", "{job}");
    }
}

#[test]
fn secrets_that_cannot_be_handed_over_stop_the_start_with_a_line_that_does_not_show_them() {
    // As long as the kernel takes in one variable.
    let long = SECRET.repeat((128 << 10) / SECRET.len() - 2);
    let ran = home().with(KEY, &long).run(&["start"]);
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!((ran.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("the secrets") && told.contains("longer than a pipe takes"), "{told}");
    assert!(!told.contains(SECRET));
}

#[test]
fn no_secret_and_no_token_is_logged_at_any_level() {
    let home = home().with(KEY, SECRET).with("OSAPI_LOG__LEVEL", "trace");
    let (server, client) = home.serve();
    let token = home.token("admin");
    Client::new(server.url(), &token).get("/api/v1/workers").expect(200);
    client.with_token(Some(&format!("{token}x"))).get("/api/v1/workers").problem(401);
    assert_eq!(said(&client, "echo done"), "done\n");
    let log = server.log();
    assert!(log.contains("ready"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains(&token), "{log}");
}

#[test]
fn the_password_of_the_queue_is_in_no_log_line_and_in_no_environment() {
    const PASSWORD: &str = "hunter2-hunter2";
    let server = NatsServer::with(&format!(
        "jetstream {{ store_dir: STORE }}\nauthorization {{ user: ops, password: \"{PASSWORD}\" }}"
    ));
    let home = Home::new()
        .with("OSAPI_JOB__QUEUE__BACKEND", "nats")
        .with("OSAPI_JOB__QUEUE__NATS__URL", &server.url())
        .with("OSAPI_JOB__QUEUE__NATS__USER", "ops")
        .with("OSAPI_JOB__QUEUE__NATS__PASSWORD", PASSWORD)
        .with("OSAPI_JOB__WORKER__LISTEN", "127.0.0.1:0")
        .with("OSAPI_LOG__LEVEL", "trace");
    let worker = home.start_as(&["job", "worker", "start"], "metrics");
    assert!(!proc(worker.pid().as_raw_nonzero(), "environ").contains(PASSWORD));
    let shown = String::from_utf8(home.run(&["config", "show"]).stdout).unwrap();
    assert!(shown.contains("<redacted>") && !shown.contains(PASSWORD), "{shown}");
    assert_eq!(worker.stop().code(), Some(0));
    let log = fs::read_to_string(home.path("log")).unwrap();
    assert!(log.contains("async_nats") || log.contains("TRACE"), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
}
