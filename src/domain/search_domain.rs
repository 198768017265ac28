//! Domains in which short names are looked up.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Hostname;

/// The longest text: that of a domain name (RFC 1035 §2.3.4, without the length of the root).
const MAX_LENGTH: usize = 253;
/// The same rule for the API document.
const PATTERN: &str = concat!(
    r"^(?:~\.|~?[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?)$"
);

/// A domain name by RFC 1123, kept in lower case and without a final dot.
///
/// With `~` in front it only decides which names go to the servers of its interface and completes no name, and `~.` is
/// every name. Only systemd-resolved knows such domains (its `Domains=`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SearchDomain {
    /// None is the root.
    name: Option<Hostname>,
    routing_only: bool,
}

impl SearchDomain {
    /// Whether it completes no name.
    #[must_use]
    pub const fn is_routing_only(&self) -> bool {
        self.routing_only
    }
}

/// The text is not a search domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a domain name of at most 253 letters, digits, hyphens and dots, ~ and a domain name, or ~.")]
pub struct InvalidSearchDomain;

impl FromStr for SearchDomain {
    type Err = InvalidSearchDomain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "~." {
            return Ok(Self { name: None, routing_only: true });
        }
        if text.len() > MAX_LENGTH {
            return Err(InvalidSearchDomain);
        }
        let name = text.strip_prefix('~').unwrap_or(text);
        let name = name.strip_suffix('.').unwrap_or(name).parse().map_err(|_| InvalidSearchDomain)?;
        Ok(Self { name: Some(name), routing_only: text.starts_with('~') })
    }
}

impl TryFrom<String> for SearchDomain {
    type Error = InvalidSearchDomain;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SearchDomain> for String {
    fn from(domain: SearchDomain) -> Self {
        domain.to_string()
    }
}

impl fmt::Display for SearchDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.routing_only { "~" } else { "" };
        write!(f, "{mark}{}", self.name.as_ref().map_or(".", Hostname::as_str))
    }
}

impl JsonSchema for SearchDomain {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SearchDomain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A domain in which short names are looked up. With `~` in front it only decides which names \
                            go to the servers of the interface, which needs systemd-resolved; `~.` is every name.",
            "maxLength": MAX_LENGTH,
            "pattern": PATTERN,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn domains_have_one_spelling() {
        for (text, spelled) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("~Corp.example.", "~corp.example"),
            ("~.", "~."),
            ("lan", "lan"),
        ] {
            assert_eq!(text.parse::<SearchDomain>().map(|domain| domain.to_string()).as_deref(), Ok(spelled));
        }
    }

    #[test]
    fn what_is_no_domain_is_refused_without_being_repeated() {
        let long = format!("{}a", "a.".repeat(127));
        for text in
            ["", ".", "~", "~~a", "a..b", "-h", "~-h", "a b", "a\nnameserver 1.2.3.4", "a\0", "a_b", "é", "..", &long]
        {
            let refused = text.parse::<SearchDomain>().expect_err(text).to_string();
            assert!(text.len() < 4 || !refused.contains(text), "the message repeats {text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_pattern_of_the_document_is_the_rule(
            text in prop_oneof!["(?s).{0,4}", "~?[a-zA-Z0-9.~-]{0,12}", "[a-z]{60,65}(\\.[a-z]{60,64}){0,4}", "[a.]{250,256}"],
        ) {
            let matched = regex::Regex::new(PATTERN).expect("a pattern").is_match(&text) && text.len() <= MAX_LENGTH;
            prop_assert_eq!(text.parse::<SearchDomain>().is_ok(), matched, "{:?}", text);
        }

        #[test]
        fn every_domain_reads_back(text in "~?[a-z0-9]{1,63}(\\.[a-z0-9]{1,9}){0,9}\\.?") {
            let domain: SearchDomain = text.parse().expect("a domain");
            prop_assert_eq!(domain.to_string().parse(), Ok(domain));
        }
    }
}
