//! `node.status.get`: Everything about the host in one answer; parts that failed are named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};
use super::{node_disk_get::NodeDisk, node_load_get::NodeLoad, node_memory_get::NodeMemory, node_os_get::NodeOs};

/// Everything about the host in one answer; parts that failed are named.
#[derive(Debug, Clone, Copy)]
pub struct NodeStatusGet;

impl Spec for NodeStatusGet {
    const NAME: &'static str = "node.status.get";
    const SUMMARY: &'static str = "Everything about the host in one answer; parts that failed are named.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeStatus;
}

/// The state of a host. A part that could not be read is absent and named in `errors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeStatus {
    /// Hostname of the worker.
    pub hostname: String,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<NodeOs>,
    /// Seconds since the kernel started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<f64>,
    /// Load averages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<NodeLoad>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<NodeMemory>,
    /// Filesystems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<Vec<NodeDisk>>,
    /// The parts that failed.
    pub errors: Vec<PartError>,
}

/// A part of the status that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartError {
    /// Which part: `os`, `uptime`, `load`, `memory` or `disks`.
    pub part: String,
    /// What went wrong.
    pub message: String,
}
