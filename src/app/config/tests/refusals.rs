//! What is said about configurations that cannot be used, and what is never said.

use std::ffi::OsString;

use super::{
    super::{
        load::{Host, load_on},
        *,
    },
    system::{System, from_env, from_yaml, variable_of, yaml_of},
};

/// A key, values that it cannot have, and words that the message must contain.
type Refused = (&'static str, &'static [&'static str], &'static [&'static str]);

const WHOLE: [&str; 9] = ["80.6", "true", "007", "-1", "+1", "1e3", "0x50", "eighty", "99999999999999999999"];
const REFUSED: &[Refused] = &[
    ("data_dir", &["\"\""], &["expected a directory"]),
    (
        "api.server.host",
        &["example.org", "127.0.0.1:80", "1.2.3", "\"[::1]\"", "true"],
        &["expected an IP address or localhost"],
    ),
    ("api.server.port", &WHOLE, &["expected a whole number from 0 to 65535"]),
    ("api.server.port", &["65536", "\"\""], &["0 to 65535"]),
    ("api.server.limits.body", &["1023", "65MiB", "1", "big", "-1", "1MiBs", "true"], &["1KiB to 64MiB", "512KiB"]),
    ("api.server.limits.connections", &["15", "1000001", "-1", "many"], &["a whole number from 16 to 1000000"]),
    ("api.server.limits.waits", &["1000001", "-1"], &["a whole number from 0 to 1000000"]),
    ("api.server.limits.idle_time", &["75", "999ms", "25h"], &["a duration from 1s to 24h"]),
    ("api.server.limits.head_time", &["0s", "61m"], &["a duration from 1s to 1h"]),
    ("api.server.security.clock_skew", &["30", "11m"], &["a duration from 0s to 10m"]),
    ("job.queue.backend", &["redis", "Embedded", "NATS"], &["expected embedded or nats"]),
    (
        "job.queue.nats.url",
        &["127.0.0.1:4222", "http://a:4222", "nats://", "\"nats://a:4222,\"", "nats://a:0", "nats://a/b"],
        &["expected addresses like nats://host:4222"],
    ),
    ("job.queue.nats.replicas", &["0", "2", "4", "three"], &["expected 1 or 3 or 5"]),
    ("job.queue.nats.prefix", &["a.b", "\"\"", "a b", "\"*\"", "\">\""], &["1 to 32 letters, digits"]),
    ("job.queue.durability", &["fsync", "POWER_LOSS", "true"], &["expected power_loss or process_crash"]),
    ("job.queue.max_depth", &WHOLE, &["1 to 10000000"]),
    ("job.queue.max_depth", &["0", "10000001"], &["1 to 10000000"]),
    (
        "job.retention.age",
        &["soon", "0s", "24", "3651d", "-1h", "999ms", "1e3s"],
        &["1s to 3650d", "500ms, 30s, 24h or 7d"],
    ),
    ("job.retention.max_jobs", &["0", "1000000001", "1k"], &["1 to 1000000000"]),
    ("job.retention.max_bytes", &["0", "1023KiB", "2PiB", "99999999999999999PiB", "lots"], &["1MiB to 1PiB"]),
    ("job.defaults.timeout", &["0s", "999ms", "3601s", "30"], &["1s to 1h"]),
    ("job.defaults.timeout", &["1h 1s"], &["1s to 1h"]),
    ("job.defaults.deadline", &["0s", "86401s"], &["1s to 24h"]),
    ("job.defaults.max_attempts", &["0", "101"], &["1 to 100"]),
    ("job.defaults.lease", &["0s", "999ms", "2h"], &["1s to 1h"]),
    (
        "job.worker.hostname",
        &["_any", "web_1", "a..b", "\"\""],
        &["not a hostname", "letters, digits and inner hyphens"],
    ),
    ("job.worker.slots", &["0", "1025", "ten"], &["1 to 1024"]),
    ("job.worker.grace", &["10", "61m", "long"], &["0s to 1h"]),
    ("job.worker.listen", &["9465", "example.org:80", "true", "\"\""], &["expected an IP address and a port"]),
    ("telemetry.metrics.enabled", &["yes", "on", "1", "True", "TRUE"], &["expected true or false"]),
    (
        "telemetry.metrics.path",
        &["metrics", "/", "/metrics/", "//metrics", "/a//b", "/./a", "/../a", "/a b", "/a%20", "/{id}", "/a?b", "\"\""],
        &["expected a path like /metrics"],
    ),
    (
        "telemetry.metrics.path",
        &["/api", "/api/v1/jobs", "/health", "/health/ready", "/openapi.json", "/openapi.yaml", "/docs"],
        &["expected a path outside of the API's own /"],
    ),
    (
        "telemetry.metrics.listen",
        &["9464", "example.org:9464", "127.0.0.1", "127.0.0.1:99999"],
        &["expected an IP address and a port"],
    ),
    ("log.level", &["verbose", "INFO", "off"], &["expected error or warn or info or debug or trace"]),
    ("log.format", &["yaml"], &["expected text or json"]),
];

#[test]
fn a_bad_value_is_refused_with_its_key_the_value_what_is_allowed_and_where_it_is() {
    for (key, values, expected) in REFUSED {
        for value in *values {
            let error = from_yaml(&yaml_of(key, value)).expect_err(&format!("{key}: {value}"));
            let shown = value.trim_matches('"');
            for part in
                [&format!("`{shown}` for `{key}`"), "osapi.yaml, line "].iter().copied().chain(expected.iter().copied())
            {
                assert!(error.contains(part), "{key}: {value} gave: {error}");
            }
            if !shown.is_empty() {
                let name = variable_of(key);
                let error = from_env(&[(name.as_str(), shown)]).expect_err(&format!("{name}={shown}"));
                assert!(error.contains(&format!("`{shown}` for `{key}` (environment variable {name})")), "{error}");
            }
        }
    }
}

#[test]
fn lists_and_maps_are_refused_with_what_is_allowed() {
    for (text, expected) in [
        ("job: {worker: {labels: {\"a b\": c}}}", "invalid value `a b=c` for `job.worker.labels`"),
        ("job: {worker: {labels: {a: web.}}}", "label keys and values are 1 to 63"),
        ("job: {worker: {labels: {a: [b]}}}", "`job.worker.labels`"),
        ("job: {worker: {labels: [a]}}", "expected keys with one value each"),
        ("job: {worker: {labels: a=b}}", "expected keys with one value each"),
        ("api: {server: {security: {cors: {allow_origins: [\"*\"]}}}}", "invalid value `*` for"),
        ("api: {server: {security: {cors: {allow_origins: [https://a.example/x]}}}}", "no path and no wildcard"),
        ("api: {server: {security: {cors: {allow_origins: https://a.example}}}}", "expected a list of values"),
        ("job: {worker: {commands: {allow: /bin/sh}}}", "expected a list of values"),
        (
            "job: {worker: {commands: {allow: [/bin/sh, sh]}}}",
            "invalid value `/bin/sh,sh` for `job.worker.commands.allow`",
        ),
        ("job: {worker: {commands: {allow: [/bin/sh, sh]}}}", "executable files, but `sh` does not begin with a slash"),
        ("job: {worker: {commands: {allow: [/bin/../bin/sh]}}}", "`/bin/../bin/sh` is not normalized"),
        ("job: {worker: {commands: {allow: [/nowhere/sh]}}}", "`/nowhere/sh` cannot be used: No such file"),
        ("job: {worker: {commands: {allow: [/etc/passwd]}}}", "`/etc/passwd` is not executable"),
        ("api: {server: 5}", "invalid value for `api.server`"),
        ("api: {server: 5}", "expected a section with `host`, `port`, `limits`, `security`"),
        ("api: {server: {port: [80]}}", "expected one value"),
    ] {
        let error = from_yaml(text).expect_err(text);
        assert!(error.contains(expected) && error.contains("osapi.yaml, line 1"), "{text} gave: {error}");
    }
    for (value, expected) in [
        ("group", "expected key=value pairs separated by commas"),
        ("a=b,", "expected key=value pairs"),
        ("a=b,a=c", "`a` is there twice"),
        ("a=", "label keys and values"),
    ] {
        let error = from_env(&[("OSAPI_JOB__WORKER__LABELS", value)]).expect_err(value);
        assert!(error.contains(expected) && error.contains("OSAPI_JOB__WORKER__LABELS"), "{value} gave: {error}");
    }
    let error =
        from_env(&[("OSAPI_API__SERVER__SECURITY__CORS__ALLOW_ORIGINS", "https://a.example,,")]).expect_err("a gap");
    assert!(error.contains("single commas"), "{error}");
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    let error = from_yaml("job: {defaults: {timeout: 30s, deadline: 20s}}").expect_err("longer than the deadline");
    assert!(
        error.contains("`30s` for `job.defaults.timeout`") && error.contains("at most `job.defaults.deadline`"),
        "{error}"
    );
    let error = from_yaml("telemetry: {metrics: {listen: \"0.0.0.0:8080\"}}").expect_err("taken by the API");
    assert!(
        error.contains("`0.0.0.0:8080` for `telemetry.metrics.listen`") && error.contains("127.0.0.1:8080"),
        "{error}"
    );
}

#[test]
fn unknown_keys_are_named_with_those_that_exist_and_their_values_are_never_shown() {
    for (text, expected) in [
        ("api:\n  server:\n    prot: hunter2\n", "unknown key `api.server.prot`"),
        (
            "api:\n  server:\n    prot: hunter2\n",
            "osapi.yaml, line 3): expected one of `host`, `port`, `limits`, `security`",
        ),
        ("signing_key: hunter2\n", "unknown key `signing_key`"),
        ("hunter: {hunter2: hunter2}", "unknown key `hunter`"),
        ("job: {queue: {nats: {uri: hunter2}}}", "unknown key `job.queue.nats.uri`"),
        ("job: {queue: {nats: {url: 'nats://ops:hunter2@a:1'}}}", "user and password have keys of their own"),
        ("job: {queue: {nats: {password: hunter2}}}", "`job.queue.nats.user`"),
        ("api: {server: {security: hunter2}}", "expected a section with `signing_key`, `clock_skew`, `cors`"),
        ("api: {server: {security: {signing_key: [hunter2]}}}", "expected one value"),
        ("<<: {a: hunter2}", "unknown key `<<`"),
        ("1: hunter2", "unknown key `1`"),
    ] {
        let error = from_yaml(text).expect_err(text);
        assert!(error.contains(expected) && !error.contains("hunter2"), "{text} gave: {error}");
    }
    for (name, expected) in [
        ("OSAPI_API__SERVER__PROT", "expected one of OSAPI_API__SERVER__HOST, "),
        ("OSAPI_API_SERVER_PORT", "levels are separated by `__`"),
        ("OSAPI_PORT", "osapi config show"),
        ("OSAPI_API__SERVER", "OSAPI_API__SERVER__HOST"),
        ("OSAPI_JOB__WORKER__LABELS__GROUP", "OSAPI_JOB__WORKER__HOSTNAME, OSAPI_JOB__WORKER__LABELS, "),
        ("OSAPI_api__server__port", "unknown environment variable `OSAPI_api__server__port`"),
    ] {
        let error = from_env(&[(name, "hunter2")]).expect_err(name);
        assert!(error.contains(name) && error.contains(expected) && !error.contains("hunter2"), "{name} gave: {error}");
    }
}

#[test]
fn the_signing_key_is_shown_nowhere() {
    let short = "only-31-bytes-of-secret-are-here";
    let error = from_yaml(&yaml_of("api.server.security.signing_key", &short[1..])).expect_err("too short");
    assert!(
        error.contains("signing_key") && error.contains("at least 32 bytes, it has 31") && error.contains("line 4"),
        "{error}"
    );
    assert!(!error.contains("secret-are"), "{error}");

    let loaded = from_env(&[("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", short)]).expect("valid");
    assert_eq!(
        loaded.settings.api.server.security.signing_key.as_ref().map(SigningKey::as_bytes),
        Some(short.as_bytes())
    );
    let everything = format!("{loaded:?} {} {}", loaded.to_json().expect("json"), loaded.to_yaml().expect("yaml"));
    assert!(!everything.contains(short) && everything.contains("<redacted>"), "{everything}");

    for guessable in ["x".repeat(32), "0071e5".repeat(6), "abababab".repeat(9)] {
        let error = from_env(&[("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", &guessable)]).expect_err("guessable");
        assert!(error.contains("cannot be guessed") && !error.contains(&guessable), "{error}");
    }

    let digits = "00719e5342".repeat(6);
    let loaded = from_env(&[("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", &digits)]).expect("valid");
    assert_eq!(
        loaded.settings.api.server.security.signing_key.as_ref().map(SigningKey::as_bytes),
        Some(digits.as_bytes())
    );
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let system = System::new();
    system.write("osapi.yaml", b"log:\n  level: \xff\n");
    let error = system.load(&[], Overrides::default()).expect_err("not UTF-8");
    assert!(error.contains("osapi.yaml, line 2: expected UTF-8"), "{error}");

    let variable = (OsString::from("OSAPI_LOG__LEVEL"), OsString::from_vec(vec![0xff]));
    let host = Host { nodename: "n".to_owned(), candidates: Vec::new() };
    let error = load_on(&host, None, [variable].into_iter(), Overrides::default()).expect_err("not UTF-8");
    assert!(
        error.to_string().contains("`log.level` (environment variable OSAPI_LOG__LEVEL): expected UTF-8"),
        "{error}"
    );
}

#[test]
fn bad_flags_are_named_too() {
    let flags = Overrides::default().with("api.server.port", "--port", Some("80.6"));
    let error = System::new().load(&[], flags).expect_err("not a port");
    assert!(error.contains("`80.6` for `api.server.port` (flag --port): expected a whole number"), "{error}");
}

#[test]
fn a_system_hostname_that_cannot_be_one_asks_for_a_configured_one() {
    const LONG: &str = "a123456789b123456789c123456789d123456789e123456789f123456789g123";
    for nodename in ["(none)", "web_01", LONG, ""] {
        let system = System { nodename, ..System::new() };
        let error = system.load(&[], Overrides::default()).expect_err("not a hostname");
        assert!(error.contains(&format!("`{nodename}` for `job.worker.hostname` (system hostname)")), "{error}");
        assert!(error.contains("give this host a name with `job.worker.hostname`"), "{error}");
    }
    let configured = from_env(&[("OSAPI_JOB__WORKER__HOSTNAME", "web_01")]).expect_err("not a hostname");
    assert!(!configured.contains("give this host a name"), "{configured}");
    let system = System { nodename: "web_01", ..System::new() };
    let env = [("OSAPI_JOB__WORKER__HOSTNAME", "web-1")];
    let settings = system.load(&env, Overrides::default()).expect("valid").settings;
    assert_eq!(settings.job.worker.hostname.as_str(), "web-1");
}

#[test]
fn all_mistakes_are_named_together_each_once() {
    let system = System { nodename: "web_01", ..System::new() };
    system.write(
        "osapi.yaml",
        "api: {server: {prot: 1, port: 80.6, host: [a]}}\nlog: {level: loud}\n\
         job: {defaults: {timeout: soon, deadline: 20s}, worker: {labels: {a: web.}, slots: 0}}\n",
    );
    let env = [("OSAPI_PORT", "1"), ("OSAPI_JOB__QUEUE__NATS__USER", "ops"), ("OSAPI_API__SERVER__LIMITS__BODY", "1")];
    let flags = Overrides::default().with("data_dir", "--data-dir", Some(""));
    let error = system.load(&env, flags).expect_err("many mistakes");
    let expected = [
        "unknown key `api.server.prot`",
        "`80.6` for `api.server.port`",
        "for `api.server.host`",
        "`loud` for `log.level`",
        "`soon` for `job.defaults.timeout`",
        "`a=web.` for `job.worker.labels`",
        "`0` for `job.worker.slots`",
        "unknown environment variable `OSAPI_PORT`",
        "for `job.queue.nats.password`",
        "`1` for `api.server.limits.body`",
        "for `data_dir` (flag --data-dir)",
        "`web_01` for `job.worker.hostname`",
    ];
    for expected in expected {
        assert_eq!(error.matches(expected).count(), 1, "{expected} in: {error}");
    }
    // The default that stands in for a wrong timeout is not compared with the deadline.
    assert_eq!(error.lines().count(), expected.len(), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_mistakes_of_the_environment() {
    let system = System { nodename: "web_01", ..System::new() };
    system.write("osapi.yaml", "log: {level: info");
    let error = system.load(&[("OSAPI_PORT", "1")], Overrides::default()).expect_err("no YAML");
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.contains("osapi.yaml, line ") && error.contains("OSAPI_PORT"), "{error}");
}
