//! Where values come from and which of them count.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    super::{schema::Schema, *},
    system::{GOOD, GOOD_WORDS, System, TOGETHER, from_env, from_yaml, variable_of, yaml_of},
};
use crate::ports::driven::Durability;

#[test]
fn without_anything_the_documented_defaults_apply() {
    let Loaded { settings, file, .. } = from_env(&[]).expect("valid");
    assert_eq!(file, None);
    assert_eq!(settings.data_dir, PathBuf::from("./osapi-data"));
    assert_eq!(settings.api.server.address().to_string(), "127.0.0.1:8080");
    let limits = &settings.api.server.limits;
    assert_eq!((limits.body, limits.connections), (1024 * 1024, 10_000));
    assert_eq!((limits.waits, limits.waits_per_subject), (4096, 256));
    let times = [limits.head_time, limits.idle_time, limits.answer_time];
    assert_eq!(times, [10, 75, 30].map(Duration::from_secs));
    assert_eq!(settings.api.server.security.signing_key, None);
    assert_eq!(settings.api.server.security.clock_skew, Duration::from_secs(30));
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
    assert!(settings.job.worker.commands.allow.is_empty());
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

#[test]
fn every_key_means_the_same_in_the_file_and_in_the_environment() {
    let pairs: Vec<_> = GOOD.into_iter().chain(GOOD_WORDS).collect();
    let schema = Schema::built_in().expect("valid");
    let keys: Vec<_> = schema.leaves().into_iter().map(|leaf| leaf.key).collect();
    assert!(keys.iter().all(|key| pairs.iter().any(|(tried, _)| tried == key)), "every key is tried: {keys:?}");
    assert_eq!(keys.len(), pairs.len());

    let defaults = from_env(&[]).expect("valid").settings;
    for (key, value) in pairs {
        let beside =
            TOGETHER.iter().find(|(alone, _)| *alone == key).map(|(_, (key, value))| (variable_of(key), *value));
        let beside: Vec<_> = beside.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let system = System::new();
        system.write("osapi.yaml", yaml_of(key, value));
        let in_file = system.load(&beside, Overrides::default()).expect(key).settings;
        let text: String = value.chars().filter(|c| !"[]{} ".contains(*c)).collect();
        let text = if key == "job.worker.labels" { text.replace(':', "=") } else { text };
        let name = variable_of(key);
        let in_env = from_env(&[&beside[..], &[(name.as_str(), text.as_str())]].concat()).expect(key).settings;
        assert_eq!(in_file, in_env, "{key}");
        assert!(in_file != defaults, "{key} has no effect");
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
