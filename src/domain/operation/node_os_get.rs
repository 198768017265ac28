//! `node.os.get`: The distribution, kernel and architecture of the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};

/// The distribution, kernel and architecture of the host.
#[derive(Debug, Clone, Copy)]
pub struct NodeOsGet;

impl Spec for NodeOsGet {
    const NAME: &'static str = "node.os.get";
    const SUMMARY: &'static str = "The distribution, kernel and architecture of the host.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeOs;
}

/// The operating system of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeOs {
    /// `ID` of os-release(5), e.g. `debian`.
    pub distribution: String,
    /// `VERSION_ID` of os-release(5); empty for rolling distributions.
    pub version: String,
    /// Kernel release, as `uname -r`.
    pub kernel: String,
    /// Machine architecture, as `uname -m`.
    pub architecture: String,
}
