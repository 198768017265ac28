//! `network.dns.update`: Sets the name servers or search domains of an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{Effect, Input, Spec, network_dns_get::DnsSettings};
use crate::domain::{BoundedList, InterfaceName, Scope, ScopedAddress, SearchDomain};

/// Sets the name servers or search domains of an interface.
#[derive(Debug, Clone, Copy)]
pub struct NetworkDnsUpdate;

impl Spec for NetworkDnsUpdate {
    const NAME: &'static str = "network.dns.update";
    const SUMMARY: &'static str = "Sets the name servers or search domains of an interface.";
    const EFFECT: Effect = Effect::Idempotent;
    const SCOPE: Scope = Scope::Write;
    type Input = DnsChange;
    type Output = ChangedDnsSettings;
}

/// The servers of a change, in the order in which they are asked.
pub type Servers = BoundedList<ScopedAddress, 1, 16>;
/// The search domains of a change; an empty list removes those that are there.
pub type SearchDomains = BoundedList<SearchDomain, 0, 32>;

/// What to set: `servers`, `search_domains` or both. What is not named stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{ "required": ["servers"] }, { "required": ["search_domains"] }]))]
pub struct DnsChange {
    /// An interface that the host has.
    pub interface: InterfaceName,
    /// The servers to ask, in this order. `/etc/resolv.conf` takes three.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Servers", default)]
    pub servers: Option<Servers>,
    /// The domains in which short names are looked up; `[]` removes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SearchDomains", default)]
    pub search_domains: Option<SearchDomains>,
}

impl Input for DnsChange {}

/// The fields before they are looked at together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    interface: InterfaceName,
    #[serde(default, deserialize_with = "present")]
    servers: Option<Servers>,
    #[serde(default, deserialize_with = "present")]
    search_domains: Option<SearchDomains>,
}

/// A field that is there has a value: null is none of them.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for DnsChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { interface, servers, search_domains } = Fields::deserialize(deserializer)?;
        if servers.is_none() && search_domains.is_none() {
            return Err(D::Error::custom("expected servers, search_domains or both"));
        }
        Ok(Self { interface, servers, search_domains })
    }
}

/// How a host resolves names after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedDnsSettings {
    /// The settings as they are now.
    #[serde(flatten)]
    pub settings: DnsSettings,
    /// Whether anything had to be changed.
    pub changed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<DnsChange, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_change_names_servers_or_search_domains_and_reads_back() {
        for json in [
            r#"{"interface":"eth0","servers":["192.0.2.1","fe80::1%eth0"]}"#,
            r#"{"interface":"eth0","search_domains":["example.com","~corp.example"]}"#,
            r#"{"interface":"eth0","search_domains":[]}"#,
            r#"{"interface":"eth0","servers":["2001:db8::1"],"search_domains":["~."]}"#,
        ] {
            let change = read(json).expect(json);
            assert_eq!(serde_json::to_string(&change).expect("serializes"), json);
        }
    }

    #[test]
    fn the_same_server_in_two_spellings_is_one_server() {
        let change = read(r#"{"interface":"eth0","servers":["::1","0:0::1"],"search_domains":["a.example","A.example."]}"#);
        let change = change.expect("a change");
        assert_eq!((change.servers.map(|list| list.len()), change.search_domains.map(|list| list.len())), (Some(1), Some(1)));
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_is_allowed() {
        let many = |item: &str, count: usize| vec![format!("\"{item}\""); count].join(",");
        for (json, allowed) in [
            (r#"{"interface":"eth0"}"#.to_owned(), "servers, search_domains or both"),
            (r#"{"interface":"eth0","servers":[]}"#.to_owned(), "a list of 1 to 16 items"),
            (r#"{"interface":"eth0","servers":null,"search_domains":[]}"#.to_owned(), "a list of 1 to 16 items"),
            (r#"{"interface":"eth0","search_domains":null}"#.to_owned(), "a list of 0 to 32 items"),
            (format!(r#"{{"interface":"eth0","servers":[{}]}}"#, many("192.0.2.1", 10_000)), "a list of 1 to 16 items"),
            (format!(r#"{{"interface":"eth0","search_domains":[{}]}}"#, many("a", 33)), "a list of 0 to 32 items"),
            (r#"{"interface":"eth0","servers":["secret"]}"#.to_owned(), "an IPv4 or IPv6 address"),
            (r#"{"interface":"eth0","servers":["1.2.3.4\u0000"]}"#.to_owned(), "an IPv4 or IPv6 address"),
            (r#"{"interface":"eth0","search_domains":["secret_"]}"#.to_owned(), "a domain name of at most 253"),
            (r#"{"interface":"-secret","search_domains":["a"]}"#.to_owned(), "the name of an interface"),
            (r#"{"servers":["192.0.2.1"]}"#.to_owned(), "missing field `interface`"),
            (r#"{"interface":"eth0","servers":["192.0.2.1"],"more":1}"#.to_owned(), "unknown field"),
        ] {
            let refused = read(&json).expect_err(&json);
            assert!(refused.contains(allowed) && !refused.contains("secret"), "{refused}");
        }
    }
}
