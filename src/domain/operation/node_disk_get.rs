//! `node.disk.get`: The space on the real filesystems of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};

/// The space on the real filesystems of the host.
#[derive(Debug, Clone, Copy)]
pub struct NodeDiskGet;

impl Spec for NodeDiskGet {
    const NAME: &'static str = "node.disk.get";
    const SUMMARY: &'static str = "The space on the real filesystems of the host.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeDisks;
}

/// The real filesystems of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeDisks {
    /// One entry per filesystem; pseudo filesystems are left out, bind mounts appear once.
    pub disks: Vec<NodeDisk>,
}

/// Space on one filesystem, as `df` counts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeDisk {
    /// Where it is mounted.
    pub mount_point: String,
    /// Its type, e.g. `ext4`.
    pub filesystem: String,
    /// Its size in bytes.
    pub total_bytes: u64,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes that an unprivileged process can still write.
    pub available_bytes: u64,
}
