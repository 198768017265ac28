//! What a command inherits: outputs and nothing else, and the limits of the service as they were at its start.

use std::{fs, os::unix::fs::MetadataExt};

use super::scene::{home, proc, said, serve_by};

/// The soft and the hard limit of open files in `/proc/PID/limits`.
fn open_files(limits: &str) -> (&str, &str) {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = line.split_whitespace();
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn a_command_has_three_descriptors_whatever_the_service_was_started_with() {
    let home = home();
    fs::write(home.path("secret"), "what a command must not read").unwrap();
    let (server, client) = serve_by(&home, &["sh", "-c", "exec 7< secret 9> other; exec \"$0\" start"]);
    let pid = server.pid().as_raw_nonzero();
    assert!(fs::read_link(format!("/proc/{pid}/fd/7")).unwrap().ends_with("secret"), "the service inherited it");
    let open = said(&client, "ls /proc/$$/fd; ls -l /proc/$$/fd/; true");
    assert!(open.starts_with("0\n1\n2\n") && !open.contains("secret"), "{open}");
    assert_eq!(open.matches(" -> ").count(), 3, "{open}");
    assert!(open.contains("0 -> /dev/null"), "{open}");
}

#[test]
fn the_service_takes_all_descriptors_that_it_may_have_and_its_commands_get_what_it_was_started_with() {
    let home = home().with("OSAPI_LOG__LEVEL", "debug");
    let script = "ulimit -Sn 300; ulimit -Hn 4000; umask 0002; exec \"$0\" start";
    let (server, client) = serve_by(&home, &["sh", "-c", script]);
    assert_eq!(open_files(&proc(server.pid().as_raw_nonzero(), "limits")), ("4000", "4000"));
    assert_eq!(said(&client, "ulimit -Sn; ulimit -Hn; umask"), "300\n4000\n0002\n");
    assert_eq!(client.metrics().value("process_max_fds", &[]), Some(4000.0));
    server.log_until(|log| log.contains("raised the limit of open file descriptors from=300 to=4000"));
}

#[test]
fn what_the_service_keeps_is_its_owners_alone_whatever_the_mask_is() {
    for mask in ["0000", "0777"] {
        let home = home();
        // What the test wrote is readable for its owner; what the service makes depends on its mask.
        let (_server, client) = serve_by(&home, &["sh", "-c", &format!("umask {mask}; exec \"$0\" start")]);
        assert_eq!(said(&client, "umask").trim(), mask);
        let mode = |path: &str| fs::metadata(home.path(path)).unwrap().mode() & 0o7777;
        assert_eq!(mode("data"), 0o700, "{mask}");
        let files: Vec<_> = fs::read_dir(home.path("data")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        for file in files {
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600, "{mask}: {}", file.display());
        }
    }
}
