//! Workers as they are shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::schemas::DateTime;
use crate::domain;

/// A connected worker.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct Worker {
    /// Its name.
    hostname: String,
    /// What targets match.
    labels: BTreeMap<String, String>,
    /// `ready`, or `draining`: it claims nothing more.
    #[schemars(extend("enum" = ["ready", "draining"]))]
    state: &'static str,
    /// Executions that it runs at the same time, at most.
    slots: u32,
    /// Executions that it runs now.
    slots_used: u32,
    /// Version of its program.
    version: String,
    /// Whether its configuration allows any command.
    commands_enabled: bool,
    /// When it started.
    #[schemars(with = "DateTime")]
    started_at: Timestamp,
    /// When it last said that it lives.
    #[schemars(with = "DateTime")]
    last_heartbeat_at: Timestamp,
    /// How far the clock of its host is ahead of the clock of this process, in seconds; negative when it is behind.
    clock_offset_seconds: f64,
}

impl From<domain::Worker> for Worker {
    fn from(worker: domain::Worker) -> Self {
        Self {
            hostname: worker.hostname.to_string(),
            labels: worker.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            state: worker.state.as_str(),
            slots: worker.slots,
            slots_used: worker.slots_used,
            version: worker.version,
            commands_enabled: worker.commands_enabled,
            started_at: worker.started_at,
            last_heartbeat_at: worker.last_heartbeat_at,
            clock_offset_seconds: worker.clock_offset.as_secs_f64(),
        }
    }
}

/// The connected workers, ordered by hostname.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct WorkerList {
    /// The workers.
    items: Vec<Worker>,
}

impl From<Vec<domain::Worker>> for WorkerList {
    fn from(workers: Vec<domain::Worker>) -> Self {
        Self { items: workers.into_iter().map(Worker::from).collect() }
    }
}
