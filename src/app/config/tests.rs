//! What operators see: precedence, every key from every origin, and what is said about wrong values.

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use super::{
    load::{Host, load_on},
    schema::Schema,
    *,
};
use crate::ports::driven::Durability;

/// A system with its own directory for configuration files, removed at the end of the test.
struct System {
    directory: tempfile::TempDir,
    nodename: &'static str,
}

impl System {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), nodename: "Node-1.example" }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    fn load(&self, env: &[(&str, &str)], flags: Overrides) -> Result<Loaded, String> {
        let nodename = self.nodename.to_owned();
        let candidates = ["osapi.yaml", "etc.yaml"].map(|name| self.directory.path().join(name)).to_vec();
        let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        load_on(&Host { nodename, candidates }, None, env, flags).map_err(|error| error.to_string())
    }
}

fn from_yaml(text: &str) -> Result<Loaded, String> {
    let system = System::new();
    system.write("osapi.yaml", text);
    system.load(&[], Overrides::default())
}

fn from_env(env: &[(&str, &str)]) -> Result<Loaded, String> {
    System::new().load(env, Overrides::default())
}

/// The YAML text that sets one dotted key.
fn yaml_of(key: &str, value: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    let value_of = |depth| if depth + 1 == parts.len() { value } else { "" };
    let lines =
        parts.iter().enumerate().map(|(depth, part)| format!("{}{part}: {}\n", "  ".repeat(depth), value_of(depth)));
    lines.collect()
}

fn variable_of(key: &str) -> String {
    format!("OSAPI_{}", key.to_uppercase().replace('.', "__"))
}

#[test]
fn without_anything_the_documented_defaults_apply() {
    let Loaded { settings, file, .. } = from_env(&[]).expect("valid");
    assert_eq!(file, None);
    assert_eq!(settings.data_dir, PathBuf::from("./osapi-data"));
    assert_eq!(settings.api.server.address().to_string(), "127.0.0.1:8080");
    assert_eq!(settings.api.server.limits.body, 1024 * 1024);
    assert_eq!(settings.api.server.security.signing_key, None);
    assert!(settings.api.server.security.cors.allow_origins.is_empty());
    assert_eq!(settings.job.queue.backend, QueueBackend::Embedded);
    assert_eq!(settings.job.queue.durability, Durability::PowerLoss);
    assert_eq!(settings.job.queue.max_depth, 100_000);
    assert_eq!(settings.job.retention.age, Duration::from_hours(24));
    assert_eq!(settings.job.retention.max_jobs, 1_000_000);
    assert_eq!(settings.job.retention.max_bytes, 4 << 30);
    assert_eq!(settings.job.defaults.timeout, Duration::from_secs(30));
    assert_eq!(settings.job.defaults.deadline, Duration::from_hours(1));
    assert_eq!(settings.job.defaults.max_attempts, 3);
    assert_eq!(settings.job.defaults.lease, Duration::from_secs(10));
    assert_eq!(settings.job.worker.hostname.as_str(), "node-1.example");
    assert_eq!(settings.job.worker.labels.iter().count(), 0);
    assert_eq!(settings.job.worker.slots, 10);
    assert_eq!(settings.job.worker.grace, Duration::from_secs(10));
    assert!(!settings.telemetry.metrics.enabled);
    assert_eq!(settings.telemetry.metrics.path, "/metrics");
    assert_eq!(settings.telemetry.metrics.listen, None);
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Info, LogFormat::Text));
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let system = System::new();
    system.write("osapi.yaml", "api:\n  server:\n    port: 1\n    host: ::1\njob:\n  worker:\n    slots: 2\n");
    let env = [("OSAPI_API__SERVER__PORT", "3"), ("OSAPI_JOB__WORKER__SLOTS", "4")];
    let flags = Overrides::default().with("api.server.port", "--port", Some("5")).with("data_dir", "--data-dir", None);
    let Loaded { settings, origins, .. } = system.load(&env, flags).expect("valid");
    assert_eq!(settings.api.server.address().to_string(), "[::1]:5");
    assert_eq!(settings.job.worker.slots, 4);
    let origin = |key: &str| origins[key].to_string();
    assert_eq!(origin("api.server.port"), "flag --port");
    assert_eq!(origin("job.worker.slots"), "environment variable OSAPI_JOB__WORKER__SLOTS");
    assert!(origin("api.server.host").ends_with("osapi.yaml, line 4"), "{}", origin("api.server.host"));
    assert_eq!(origin("data_dir"), "default");
    assert_eq!(origin("job.worker.hostname"), "system hostname");
}

#[test]
fn the_first_file_that_exists_counts_and_a_named_one_must_exist() {
    let system = System::new();
    system.write("etc.yaml", "api: {server: {port: 1}}");
    let port = |env: &[(&str, &str)]| system.load(env, Overrides::default()).map(|it| it.settings.api.server.port);
    assert_eq!(port(&[]), Ok(1));
    system.write("osapi.yaml", "api: {server: {port: 2}}");
    assert_eq!(port(&[]), Ok(2));
    let named = system.write("named.yaml", "api: {server: {port: 3}}");
    assert_eq!(port(&[("OSAPI_CONFIG", named.to_str().expect("UTF-8"))]), Ok(3));
    assert_eq!(port(&[("OSAPI_CONFIG", "")]), Ok(2));
    let error = port(&[("OSAPI_CONFIG", "/nowhere/osapi.yaml")]).expect_err("missing");
    assert!(error.contains("cannot read configuration file /nowhere/osapi.yaml"), "{error}");

    fs::remove_file(system.directory.path().join("osapi.yaml")).expect("removed");
    fs::create_dir(system.directory.path().join("osapi.yaml")).expect("created");
    let error = port(&[]).expect_err("a file that is there but cannot be read is not passed over");
    assert!(error.contains("osapi.yaml"), "{error}");
}

/// Values other than the defaults, for every key that there is.
const GOOD: [(&str, &str); 22] = [
    ("data_dir", "/var/lib/osapi"),
    ("api.server.host", "0.0.0.0"),
    ("api.server.port", "0"),
    ("api.server.limits.body", "2097152"),
    ("api.server.security.signing_key", "01234567890123456789012345678901"),
    ("api.server.security.cors.allow_origins", "[https://a.example, http://localhost:3000]"),
    ("job.queue.backend", "embedded"),
    ("job.queue.durability", "process_crash"),
    ("job.queue.max_depth", "1"),
    ("job.retention.age", "7d"),
    ("job.retention.max_jobs", "10"),
    ("job.retention.max_bytes", "1TiB"),
    ("job.defaults.timeout", "1s"),
    ("job.defaults.deadline", "24h"),
    ("job.defaults.max_attempts", "1"),
    ("job.defaults.lease", "1s"),
    ("job.worker.hostname", "WEB-1"),
    ("job.worker.labels", "{Rack: 007, group: web.dev, size: 1.10}"),
    ("job.worker.slots", "1024"),
    ("job.worker.grace", "0s"),
    ("telemetry.metrics.path", "/internal/metrics~1"),
    ("telemetry.metrics.listen", "localhost:9464"),
];
const GOOD_WORDS: [(&str, &str); 3] =
    [("telemetry.metrics.enabled", "true"), ("log.level", "trace"), ("log.format", "json")];

#[test]
fn every_key_means_the_same_in_the_file_and_in_the_environment() {
    let pairs: Vec<_> = GOOD.into_iter().chain(GOOD_WORDS).collect();
    let schema = Schema::built_in().expect("valid");
    let keys: Vec<_> = schema.leaves().into_iter().map(|leaf| leaf.key).collect();
    assert!(keys.iter().all(|key| pairs.iter().any(|(tried, _)| tried == key)), "every key is tried: {keys:?}");
    assert_eq!(keys.len(), pairs.len());

    let defaults = from_env(&[]).expect("valid").settings;
    for (key, value) in pairs {
        let in_file = from_yaml(&yaml_of(key, value)).expect(key).settings;
        let text: String = value.chars().filter(|c| !"[]{} ".contains(*c)).collect();
        let text = if key == "job.worker.labels" { text.replace(':', "=") } else { text };
        let in_env = from_env(&[(variable_of(key).as_str(), text.as_str())]).expect(key).settings;
        assert_eq!(in_file, in_env, "{key}");
        assert!(in_file != defaults || key == "job.queue.backend", "{key} has no effect");
    }
}

#[test]
fn labels_keep_their_spelling() {
    let loaded =
        from_yaml("job:\n  worker:\n    labels:\n      Rack: 007\n      size: 1.10\n      on: yes\n").expect("valid");
    let labels: Vec<_> = loaded.settings.job.worker.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(labels, ["Rack=007", "on=yes", "size=1.10"]);
}

#[test]
fn labels_from_the_environment_are_merged_over_those_of_the_file_and_lists_replace() {
    let system = System::new();
    let text = "job: {worker: {labels: {group: web, rack: r1}}}\n\
                api: {server: {security: {cors: {allow_origins: [https://a.example]}}}}\n";
    system.write("osapi.yaml", text);
    let env = [
        ("OSAPI_JOB__WORKER__LABELS", "group=web.dev, zone=eu"),
        ("OSAPI_API__SERVER__SECURITY__CORS__ALLOW_ORIGINS", "https://b.example"),
    ];
    let settings = system.load(&env, Overrides::default()).expect("valid").settings;
    let labels: Vec<_> = settings.job.worker.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(labels, ["group=web.dev", "rack=r1", "zone=eu"]);
    assert_eq!(settings.api.server.security.cors.allow_origins, ["https://b.example"]);
}

#[test]
fn what_has_no_value_is_not_set() {
    for text in ["", "# nothing\n", "api:\n", "api:\n  server:\n    port:\n", "api: {server: {port: ~}}", "log: {}"] {
        let loaded = from_yaml(text).expect(text);
        assert_eq!(loaded.settings.api.server.port, 8080, "{text:?}");
    }
    let env = [("OSAPI_API__SERVER__PORT", ""), ("OSAPI_NO_SUCH_KEY", "")];
    assert_eq!(from_env(&env).expect("valid").settings.api.server.port, 8080);
}

#[test]
fn variables_that_are_no_keys_are_left_alone() {
    let env = [
        ("OSAPI_CLIENT_TOKEN", "x"),
        ("OSAPI_BLESS", "1"),
        ("OSAPI_TEST_SEED", "1"),
        ("PATH", "/bin"),
        ("osapi_x", "1"),
    ];
    from_env(&env).expect("none of them is a key");
}

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
    ("job.queue.backend", &["nats"], &["this build has no nats backend", "expected embedded"]),
    ("job.queue.backend", &["redis", "Embedded"], &["expected embedded"]),
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
    ("job.defaults.deadline", &["0s", "86401s"], &["1s to 1d"]),
    ("job.defaults.max_attempts", &["0", "101"], &["1 to 100"]),
    ("job.defaults.lease", &["0s", "999ms", "2h"], &["1s to 1h"]),
    (
        "job.worker.hostname",
        &["_any", "web_1", "a..b", "\"\""],
        &["not a hostname", "letters, digits and inner hyphens"],
    ),
    ("job.worker.slots", &["0", "1025", "ten"], &["1 to 1024"]),
    ("job.worker.grace", &["10", "61m", "long"], &["0s to 1h"]),
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
        ("job: {queue: {nats: {url: hunter2}}}", "unknown key `job.queue.nats`"),
        ("api: {server: {security: hunter2}}", "expected a section with `signing_key`, `cors`"),
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

    let digits = "0071e5".repeat(6);
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
fn a_system_hostname_that_cannot_be_one_asks_for_a_configured_one() {
    let system = System { nodename: "(none)", ..System::new() };
    let error = system.load(&[], Overrides::default()).expect_err("not a hostname");
    assert!(error.contains("`(none)` for `job.worker.hostname` (system hostname)"), "{error}");
    let env = [("OSAPI_JOB__WORKER__HOSTNAME", "web-1")];
    let settings = system.load(&env, Overrides::default()).expect("valid").settings;
    assert_eq!(settings.job.worker.hostname.as_str(), "web-1");
}

#[test]
fn bad_flags_are_named_too() {
    let flags = Overrides::default().with("api.server.port", "--port", Some("80.6"));
    let error = System::new().load(&[], flags).expect_err("not a port");
    assert!(error.contains("`80.6` for `api.server.port` (flag --port): expected a whole number"), "{error}");
}

#[test]
fn what_is_shown_reads_back_as_the_same_settings() {
    let mut text = String::new();
    let first = {
        let env: Vec<(String, String)> = GOOD
            .into_iter()
            .chain(GOOD_WORDS)
            .filter(|(key, _)| !key.ends_with("signing_key"))
            .map(|(key, value)| {
                let value: String = value.chars().filter(|c| !"[]{} ".contains(*c)).collect();
                (variable_of(key), if key == "job.worker.labels" { value.replace(':', "=") } else { value })
            })
            .collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let loaded = from_env(&env).expect("valid");
        text.push_str(&loaded.to_yaml().expect("yaml"));
        loaded.settings
    };
    assert_eq!(from_yaml(&text).expect("reads back").settings, first, "{text}");
    assert!(text.contains("port: 0  # environment variable OSAPI_API__SERVER__PORT"), "{text}");
}

#[test]
fn the_defaults_are_shown_as_they_are_documented() {
    let defaults = from_env(&[]).expect("valid").to_yaml().expect("yaml");
    assert!(defaults.contains("    host: 127.0.0.1  # default\n    port: 8080  # default\n"), "{defaults}");
    assert!(defaults.contains("      signing_key:\n"), "{defaults}");
    assert!(defaults.contains("    hostname: node-1.example  # system hostname\n"), "{defaults}");
}
