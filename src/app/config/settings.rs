//! All settings together, and the rules between them. Rules of one key belong to its own file.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{
    DefaultLimitsSettings, LogSettings, MetricsSettings, QueueSettings, RetentionSettings, ServerSettings,
    WorkerSettings,
};

/// The effective configuration. Serialized, it shows no secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the store and the generated signing key live.
    #[serde(deserialize_with = "data_dir")]
    pub data_dir: PathBuf,
    /// The API.
    pub api: ApiSettings,
    /// Jobs and who runs them.
    pub job: JobSettings,
    /// What is told about the process.
    pub telemetry: TelemetrySettings,
    /// Logging.
    pub log: LogSettings,
}

/// The API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Its server.
    pub server: ServerSettings,
}

/// Jobs and who runs them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JobSettings {
    /// Where they wait.
    pub queue: QueueSettings,
    /// How long they are kept.
    pub retention: RetentionSettings,
    /// What applies to those that do not say.
    pub defaults: DefaultLimitsSettings,
    /// Who runs them here.
    pub worker: WorkerSettings,
}

/// What is told about the process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// In numbers.
    pub metrics: MetricsSettings,
}

/// A value that does not go with another one.
pub(super) struct Conflict {
    /// The key that must change.
    pub(super) key: &'static str,
    /// The keys that it does not go with.
    pub(super) with: &'static [&'static str],
    /// What is allowed beside the others.
    pub(super) expected: String,
}

impl Conflict {
    /// Whether the value of this key is part of it.
    pub(super) fn concerns(&self, key: &str) -> bool {
        self.key == key || self.with.contains(&key)
    }
}

impl Settings {
    /// The rules between keys: what breaks them.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        let limits = &self.job.defaults;
        if limits.timeout > limits.deadline {
            let expected = "expected at most `job.defaults.deadline`".to_owned();
            found.push(Conflict { key: "job.defaults.timeout", with: &["job.defaults.deadline"], expected });
        }
        found.extend(self.job.queue.nats.conflicts());
        let address = self.api.server.address();
        if self.telemetry.metrics.collides_with(address) {
            let expected = format!("expected another address than that of the API, {address}");
            let with = &["api.server.host", "api.server.port"];
            found.push(Conflict { key: "telemetry.metrics.listen", with, expected });
        }
        found
    }
}

fn data_dir<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.contains('\0') {
        return Err(D::Error::custom("expected a directory"));
    }
    Ok(PathBuf::from(text))
}
