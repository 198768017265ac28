//! `node.uptime.get`: The time since the host started.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};

/// The time since the host started.
#[derive(Debug, Clone, Copy)]
pub struct NodeUptimeGet;

impl Spec for NodeUptimeGet {
    const NAME: &'static str = "node.uptime.get";
    const SUMMARY: &'static str = "The time since the host started.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeUptime;
}

/// Time since the start of the host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeUptime {
    /// Seconds since the kernel started.
    pub uptime_seconds: f64,
}
