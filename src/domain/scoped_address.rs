//! IP addresses of one host: with the interface, where the address alone does not say which network is meant.

use std::{fmt, net::IpAddr, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{InterfaceName, interface_name};

/// An IPv4 or IPv6 address. A link-local IPv6 address may name its interface: `fe80::1%eth0` (RFC 4007 §11).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopedAddress {
    address: IpAddr,
    scope: Option<InterfaceName>,
}

/// Whether every network has this address, so that it means nothing without an interface.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

impl ScopedAddress {
    /// The address alone.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The interface through which a link-local address is reached, by name or by number.
    #[must_use]
    pub const fn scope(&self) -> Option<&InterfaceName> {
        self.scope.as_ref()
    }

    /// The address as it is meant on an interface: a link-local one gets its scope, unless it has one.
    #[must_use]
    pub fn on(self, interface: &InterfaceName) -> Self {
        let scope = self.scope.or_else(|| is_link_local(self.address).then(|| interface.clone()));
        Self { scope, ..self }
    }
}

impl From<IpAddr> for ScopedAddress {
    fn from(address: IpAddr) -> Self {
        Self { address, scope: None }
    }
}

/// The text is not an IP address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IPv4 or IPv6 address; only a link-local IPv6 address may have an interface, as in fe80::1%eth0")]
pub struct InvalidScopedAddress;

impl FromStr for ScopedAddress {
    type Err = InvalidScopedAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, scope) = text.split_once('%').map_or((text, None), |(address, scope)| (address, Some(scope)));
        let address = address.parse().map_err(|_| InvalidScopedAddress)?;
        let scope = scope.map(str::parse).transpose().map_err(|_| InvalidScopedAddress)?;
        if scope.is_some() && !is_link_local(address) {
            return Err(InvalidScopedAddress);
        }
        Ok(Self { address, scope })
    }
}

impl TryFrom<String> for ScopedAddress {
    type Error = InvalidScopedAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ScopedAddress> for String {
    fn from(address: ScopedAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ScopedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        self.scope.as_ref().map_or(Ok(()), |scope| write!(f, "%{scope}"))
    }
}

impl JsonSchema for ScopedAddress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IpAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An IPv4 or IPv6 address. A link-local IPv6 address may name its interface: `fe80::1%eth0`.",
            "anyOf": [
                { "format": "ipv4" },
                { "format": "ipv6" },
                // Up to the percent sign it is a link-local address in the format `ipv6`.
                { "pattern": format!("^[Ff][Ee][89ABab][0-9A-Fa-f]:[0-9A-Fa-f:.]+%{}", &interface_name::PATTERN[1..]) },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> InterfaceName {
        text.parse().expect("a name")
    }

    #[test]
    fn addresses_have_one_spelling() {
        for (text, spelled) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("FE80::1%eth0", "fe80::1%eth0"),
            ("fe80::1%2", "fe80::1%2"),
        ] {
            assert_eq!(text.parse::<ScopedAddress>().map(|address| address.to_string()).as_deref(), Ok(spelled));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "256.1.1.1",
            "1.2.3.4/24",
            "[::1]",
            "::1%lo",
            "192.0.2.1%eth0",
            "fe80::2%",
            "fe80::2%-h",
            "fe80::2%a/b",
            "1.2.3.4\0",
            " 1.2.3.4",
            "1.2.3.4\n",
            "-h",
            "localhost",
        ] {
            let refused = text.parse::<ScopedAddress>().expect_err(text).to_string();
            assert!(text.len() < 4 || !refused.contains(text), "the message repeats {text:?}");
        }
    }

    #[test]
    fn only_a_link_local_address_depends_on_the_interface() {
        for (text, expected) in
            [("fe80::1", "fe80::1%eth0"), ("fe80::1%eth1", "fe80::1%eth1"), ("::1", "::1"), ("192.0.2.1", "192.0.2.1")]
        {
            let address: ScopedAddress = text.parse().expect("an address");
            assert_eq!(address.on(&name("eth0")).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_address_reads_back(four: [u8; 4], six: [u8; 16], scope in "[a-z][a-z0-9.%-]{0,14}") {
            for address in [IpAddr::from(Ipv4Addr::from(four)), IpAddr::from(Ipv6Addr::from(six))] {
                let address = ScopedAddress::from(address).on(&name(&scope));
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "(?s).*") {
            let _ = text.parse::<ScopedAddress>();
        }
    }
}
