//! `node.hostname.get`: The host's name and the labels of its worker.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, NoInput, Spec};

/// The host's name and the labels of its worker.
#[derive(Debug, Clone, Copy)]
pub struct NodeHostnameGet;

impl Spec for NodeHostnameGet {
    const NAME: &'static str = "node.hostname.get";
    const SUMMARY: &'static str = "The host's name and the labels of its worker.";
    const EFFECT: Effect = Effect::Read;
    type Input = NoInput;
    type Output = NodeHostname;
}

/// The name under which a host is addressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeHostname {
    /// Hostname of the worker.
    pub hostname: String,
    /// Labels of the worker.
    pub labels: BTreeMap<String, String>,
}
