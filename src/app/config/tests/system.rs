//! A system to load configurations on, and values to load.

use std::{ffi::OsString, fs, path::PathBuf};

use super::super::{
    load::{Host, load_on},
    *,
};

/// A system with its own directory for configuration files, removed at the end of the test.
pub(super) struct System {
    pub(super) directory: tempfile::TempDir,
    pub(super) nodename: &'static str,
}

impl System {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), nodename: "Node-1.example" }
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    pub(super) fn load(&self, env: &[(&str, &str)], flags: Overrides) -> Result<Loaded, String> {
        let nodename = self.nodename.to_owned();
        let candidates = ["osapi.yaml", "etc.yaml"].map(|name| self.directory.path().join(name)).to_vec();
        let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        load_on(&Host { nodename, candidates }, None, env, flags).map_err(|error| error.to_string())
    }
}

pub(super) fn from_yaml(text: &str) -> Result<Loaded, String> {
    let system = System::new();
    system.write("osapi.yaml", text);
    system.load(&[], Overrides::default())
}

pub(super) fn from_env(env: &[(&str, &str)]) -> Result<Loaded, String> {
    System::new().load(env, Overrides::default())
}

/// The YAML text that sets one dotted key.
pub(super) fn yaml_of(key: &str, value: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    let value_of = |depth| if depth + 1 == parts.len() { value } else { "" };
    let lines =
        parts.iter().enumerate().map(|(depth, part)| format!("{}{part}: {}\n", "  ".repeat(depth), value_of(depth)));
    lines.collect()
}

pub(super) fn variable_of(key: &str) -> String {
    format!("OSAPI_{}", key.to_uppercase().replace('.', "__"))
}

/// Values other than the defaults, for every key that there is.
pub(super) const GOOD: [(&str, &str); 40] = [
    ("data_dir", "/var/lib/osapi"),
    ("api.server.host", "0.0.0.0"),
    ("api.server.port", "0"),
    ("api.server.limits.body", "2097152"),
    ("api.server.limits.connections", "16"),
    ("api.server.limits.waits", "0"),
    ("api.server.limits.waits_per_subject", "1000000"),
    ("api.server.limits.head_time", "1s"),
    ("api.server.limits.idle_time", "1d"),
    ("api.server.limits.answer_time", "1h"),
    ("api.server.security.signing_key", "01234567890123456789012345678901"),
    ("api.server.security.clock_skew", "0s"),
    ("api.server.security.cors.allow_origins", "[https://a.example, http://localhost:3000]"),
    ("job.queue.backend", "nats"),
    ("job.queue.durability", "process_crash"),
    ("job.queue.max_depth", "1"),
    ("job.queue.nats.url", "tls://a.example:4222,tls://b.example"),
    ("job.queue.nats.user", "osapi"),
    ("job.queue.nats.password", "hunter2"),
    ("job.queue.nats.credentials_file", "/etc/osapi/nats.creds"),
    ("job.queue.nats.tls.ca_file", "/etc/osapi/ca.pem"),
    ("job.queue.nats.tls.certificate_file", "/etc/osapi/tls.pem"),
    ("job.queue.nats.tls.key_file", "/etc/osapi/tls.key"),
    ("job.queue.nats.replicas", "3"),
    ("job.queue.nats.prefix", "staging-1"),
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
    ("job.worker.listen", "0.0.0.0:9465"),
    ("job.worker.commands.allow", "[/bin/sh, /usr/bin/env]"),
    ("telemetry.metrics.path", "/internal/metrics~1"),
    ("telemetry.metrics.listen", "localhost:9464"),
];
pub(super) const GOOD_WORDS: [(&str, &str); 3] =
    [("telemetry.metrics.enabled", "true"), ("log.level", "trace"), ("log.format", "json")];

/// Keys that cannot be set alone, and what has to be set with them.
pub(super) const TOGETHER: [(&str, (&str, &str)); 4] = [
    ("job.queue.nats.user", ("job.queue.nats.password", "hunter2")),
    ("job.queue.nats.password", ("job.queue.nats.user", "osapi")),
    ("job.queue.nats.tls.certificate_file", ("job.queue.nats.tls.key_file", "/etc/osapi/tls.key")),
    ("job.queue.nats.tls.key_file", ("job.queue.nats.tls.certificate_file", "/etc/osapi/tls.pem")),
];
