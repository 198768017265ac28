//! `network.dns.get`: The name servers and search domains of an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Input, Spec};
use crate::domain::InterfaceName;

/// The name servers and search domains of an interface.
#[derive(Debug, Clone, Copy)]
pub struct NetworkDnsGet;

impl Spec for NetworkDnsGet {
    const NAME: &'static str = "network.dns.get";
    const SUMMARY: &'static str = "The name servers and search domains of an interface.";
    const EFFECT: Effect = Effect::Read;
    type Input = DnsQuery;
    type Output = DnsSettings;
}

/// Whose settings to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsQuery {
    /// An interface that the host has.
    pub interface: InterfaceName,
}

impl Input for DnsQuery {}

/// How a host resolves names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsSettings {
    /// The servers in the order in which they are asked.
    pub servers: Vec<String>,
    /// The domains in which short names are looked up; those that only route names begin with `~`.
    pub search_domains: Vec<String>,
    /// Where this comes from.
    pub source: DnsSource,
}

/// What keeps the settings of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DnsSource {
    /// systemd-resolved, for the interface alone.
    Resolved,
    /// `/etc/resolv.conf`, for the whole host.
    ResolvConf,
}
