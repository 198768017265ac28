//! How a process starts, and what stops it from starting.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Output,
};

use super::{Client, Home};

/// A start that must fail with one line on standard error, which is returned.
fn refused(ran: &Output, code: i32) -> String {
    let text = String::from_utf8(ran.stderr.clone()).unwrap();
    assert_eq!((ran.status.code(), text.lines().count()), (Some(code), 1), "{text}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    text
}

#[test]
fn a_start_without_a_file_makes_what_it_needs_and_says_where_everything_is() {
    let home = Home::new().with("OSAPI_API__SERVER__PORT", "0");
    fs::remove_file(home.path("osapi.yaml")).unwrap();
    let server = home.start();
    let key = fs::metadata(home.path("osapi-data/signing.key")).unwrap();
    assert_eq!(key.mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.path("osapi-data")).unwrap().mode() & 0o777, 0o700);
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.greeting());
    assert_eq!(server.greeted("docs"), format!("{}/docs", server.url()));
    assert_eq!(server.metrics_url(), "off (telemetry.metrics.enabled)");

    // The line about the token is a command that works as it stands.
    let words: Vec<&str> = server.greeted("token").split(' ').collect();
    let made = home.run(&words[1..]);
    let token = String::from_utf8(made.stdout).unwrap();
    let client = Client::new(server.url(), token.trim());
    client.get("/api/v1/workers").expect(200);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn a_broken_configuration_is_64_and_names_key_and_value() {
    for (variable, value, expected) in [
        ("OSAPI_API__SERVER__PORT", "80.6", "`80.6` for `api.server.port`"),
        ("OSAPI_LOG__LEVEL", "loud", "`loud` for `log.level`"),
        ("OSAPI_TELEMETRY__METRICS__PATH", "metrics", "`metrics` for `telemetry.metrics.path`"),
        ("OSAPI_TELEMETRY__METRICS__PATH", "/api/v1/jobs", "`/api/v1/jobs` for `telemetry.metrics.path`"),
        ("OSAPI_TELEMETRY__METRICS__PATH", "/metrics/", "`/metrics/` for `telemetry.metrics.path`"),
        ("OSAPI_TELEMETRY__METRICS__LISTEN", "here", "`here` for `telemetry.metrics.listen`"),
        ("OSAPI_JOB__RETENTION__AGE", "soon", "`soon` for `job.retention.age`"),
        ("OSAPI_API__SERVER__PROT", "1", "unknown environment variable `OSAPI_API__SERVER__PROT`"),
    ] {
        let told = refused(&Home::new().with(variable, value).run(&["start"]), 64);
        assert!(told.contains(expected), "{variable}={value}: {told}");
    }
    let home = Home::new();
    fs::write(home.path("osapi.yaml"), "api: {server: {security: {signing_key: short-secret}}}").unwrap();
    let told = refused(&home.run(&["start"]), 64);
    assert!(told.contains("api.server.security.signing_key") && !told.contains("short-secret"), "{told}");
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    for (variable, value, key) in [
        ("OSAPI_API__SERVER__PORT", &port, "api.server.port"),
        ("OSAPI_TELEMETRY__METRICS__LISTEN", &address.to_string(), "telemetry.metrics.listen"),
    ] {
        let home = Home::new().with(variable, value);
        let told = refused(&home.run(&["start"]), 1);
        assert!(told.contains(key) && told.contains(&address.to_string()), "{told}");
        assert!(!home.path("data").exists(), "nothing is made before the listeners are open");
    }
}

#[test]
fn a_second_server_on_the_same_store_is_refused_and_the_first_goes_on() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let told = refused(&home.run(&["start"]), 1);
    assert!(told.contains("./data is in use by another server"), "{told}");
    client.get("/health/ready").expect(200);
}

#[test]
fn a_corrupt_store_is_refused_with_the_name_of_its_file() {
    let home = Home::new();
    let (server, _) = home.serve();
    assert_eq!(server.stop().code(), Some(0));
    let file = home.path("data/osapi.db");
    fs::write(&file, "this is not a database, and was one before\n".repeat(400)).unwrap();
    let before = fs::read(&file).unwrap();
    let told = refused(&home.run(&["start"]), 1);
    assert!(told.contains("./data/osapi.db is corrupt") && told.contains("restore it from a backup"), "{told}");
    assert_eq!(fs::read(&file).unwrap(), before, "nothing was changed");
}

#[test]
fn a_signing_key_that_others_can_read_is_refused() {
    let home = Home::new();
    home.make_key();
    let key = home.path("data/signing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let told = refused(&home.run(&["start"]), 1);
    assert!(told.contains("./data/signing.key") && told.contains("chmod 600"), "{told}");
}
