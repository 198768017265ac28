//! The data directory and the configuration file: which ones are used, and what is said about the others.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Command,
};

use super::scene::{give, is_root};
use crate::server::Home;

/// A user that exists nowhere.
const STRANGER: &str = "65533";

/// What a start says that must end with this code: one line, which names the directory.
fn refused(home: &Home, code: i32, expected: &[&str]) {
    refused_by(home.command(&["start"]), code, expected);
}

fn refused_by(mut command: Command, code: i32, expected: &[&str]) {
    let ran = command.output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!((ran.status.code(), told.lines().count()), (Some(code), 1), "{told}");
    for expected in expected {
        assert!(told.contains(expected), "{expected} is not in: {told}");
    }
}

fn mode(home: &Home, path: &str) -> u32 {
    fs::metadata(home.path(path)).unwrap().mode() & 0o7777
}

fn set_mode(home: &Home, path: &str, mode: u32) {
    fs::set_permissions(home.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_data_directory_that_is_a_file_or_below_one_is_named_with_what_to_do() {
    for path in ["./osapi.yaml", "./osapi.yaml/data"] {
        let home = Home::new().with("OSAPI_DATA_DIR", path);
        refused(&home, 1, &[&format!("`data_dir` {path}: "), "name another", "--data-dir"]);
    }
}

#[test]
fn a_data_directory_on_a_read_only_file_system_is_named_with_what_to_do() {
    let home = Home::new();
    home.make_key();
    let mut command = Command::new("unshare");
    let script = "mount --bind data data && mount -o remount,bind,ro data && exec \"$0\" start";
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(env!("CARGO_BIN_EXE_osapi"));
    command.current_dir(home.path(""));
    refused_by(command, 1, &["`data_dir` ./data: its file system is read-only", "--data-dir"]);
}

#[test]
fn a_data_directory_that_the_user_may_not_write_is_named_with_what_to_do() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.path("data")).unwrap();
    set_mode(&home, "", 0o755);
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--reuid={STRANGER}"),
        "--regid=65533",
        "--clear-groups",
        env!("CARGO_BIN_EXE_osapi"),
        "start",
    ]);
    command.current_dir(home.path(""));
    refused_by(command, 1, &["`data_dir` ./data: Permission denied", "chown"]);
}

#[test]
fn a_data_directory_that_every_user_may_write_is_refused() {
    for open in [0o777, 0o1777, 0o702] {
        let home = Home::new();
        fs::create_dir(home.path("data")).unwrap();
        set_mode(&home, "data", open);
        refused(&home, 1, &["`data_dir` ./data", "every user may write there", "chmod 700"]);
        assert_eq!(fs::read_dir(home.path("data")).unwrap().count(), 0, "nothing was made there");
    }
}

#[test]
fn a_data_directory_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.path("data")).unwrap();
    give(&home.path("data"), STRANGER);
    refused(&home, 1, &["`data_dir` ./data", "belongs to the user 65533"]);
}

#[test]
fn a_data_directory_that_others_can_read_is_used_and_a_warning_names_it() {
    let home = Home::new();
    home.make_key();
    set_mode(&home, "data", 0o755);
    let store = "data/osapi.db";
    set_mode(&home, store, 0o644);
    let server = home.start();
    assert_eq!(mode(&home, store), 0o600, "what others could read they cannot read any more");
    assert_eq!(server.stop().code(), Some(0));
    let log = fs::read_to_string(home.path("log")).unwrap();
    assert!(log.contains("WARN") && log.contains("`data_dir` is open to others"), "{log}");
}

#[test]
fn a_configuration_file_that_others_can_change_is_refused_or_a_warning_names_it() {
    let home = Home::new();
    set_mode(&home, "osapi.yaml", 0o666);
    refused(&home, 64, &["osapi.yaml is not trusted", "every user may write it"]);
    if !is_root() {
        return;
    }
    set_mode(&home, "osapi.yaml", 0o644);
    give(&home.path("osapi.yaml"), STRANGER);
    refused(&home, 64, &["osapi.yaml is not trusted", "belongs to the user 65533", "--config"]);

    // One that is named was chosen.
    let server = home.start_as(&["start", "--config", "osapi.yaml"], "token");
    assert_eq!(server.stop().code(), Some(0));
    let log = fs::read_to_string(home.path("log")).unwrap();
    assert!(log.contains("WARN") && log.contains("osapi.yaml belongs to the user 65533"), "{log}");
}
