//! `node.memory.get`: The memory and swap of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};

/// The memory and swap of the host.
#[derive(Debug, Clone, Copy)]
pub struct NodeMemoryGet;

impl Spec for NodeMemoryGet {
    const NAME: &'static str = "node.memory.get";
    const SUMMARY: &'static str = "The memory and swap of the host.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeMemory;
}

/// Memory of a host, from `/proc/meminfo`, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeMemory {
    /// `MemTotal`.
    pub total_bytes: u64,
    /// The cgroup limit, where one below the total binds the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
    /// `MemAvailable`: what new work can have without swapping.
    pub available_bytes: u64,
    /// `total_bytes` − `available_bytes`.
    pub used_bytes: u64,
    /// `MemFree`.
    pub free_bytes: u64,
    /// `Cached` and reclaimable slab.
    pub cached_bytes: u64,
    /// `SwapTotal`.
    pub swap_total_bytes: u64,
    /// `SwapTotal` − `SwapFree`.
    pub swap_used_bytes: u64,
}
