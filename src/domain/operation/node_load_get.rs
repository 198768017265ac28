//! `node.load.get`: The load averages of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};

/// The load averages of the host.
#[derive(Debug, Clone, Copy)]
pub struct NodeLoadGet;

impl Spec for NodeLoadGet {
    const NAME: &'static str = "node.load.get";
    const SUMMARY: &'static str = "The load averages of the host.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeLoad;
}

/// Load averages, as in `/proc/loadavg`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeLoad {
    /// Average over 1 minute.
    pub load1: f64,
    /// Average over 5 minutes.
    pub load5: f64,
    /// Average over 15 minutes.
    pub load15: f64,
    /// Processors that are online: what the averages compare to.
    pub cpus: u32,
}
