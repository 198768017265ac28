//! Hostnames: the identity under which a worker is addressed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A hostname by RFC 1123 §2.1: 1–253 characters in dot-separated labels of 1–63 letters, digits and inner hyphens.
///
/// Hostnames compare without case (RFC 4343), so they are kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(String);

impl Hostname {
    /// What hostnames look like, as a regular expression of ECMA-262; its 253 characters at most are not in it.
    pub const PATTERN: &str =
        r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$";

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a hostname.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a hostname: expected at most 253 characters in dot-separated parts of 1 to 63 letters, digits and inner hyphens"
)]
pub struct InvalidHostname;

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for Hostname {
    type Err = InvalidHostname;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= 253 && text.split('.').all(is_label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidHostname)
        }
    }
}

impl TryFrom<String> for Hostname {
    type Error = InvalidHostname;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Hostname> for String {
    fn from(hostname: Hostname) -> Self {
        hostname.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, string::string_regex};

    use super::*;

    #[test]
    fn hostnames_are_kept_in_lower_case() {
        assert_eq!("Web-01.Example".parse::<Hostname>().expect("valid").as_str(), "web-01.example");
    }

    #[test]
    fn what_rfc_1123_forbids_is_refused() {
        let long_label = "a".repeat(64);
        let long_name = vec!["a"; 128].join(".");
        for text in ["", ".", "a..b", "-a", "a-", "a_b", "a b", "a:b", "_any", "é", "a.", &long_label, &long_name] {
            assert_eq!(text.parse::<Hostname>(), Err(InvalidHostname), "{text:?}");
        }
    }
    proptest! {
        #[test]
        fn what_the_pattern_describes_is_a_hostname(text in string_regex(Hostname::PATTERN.trim_matches(['^', '$'])).expect("valid")) {
            // Greatest lengths are not in the pattern.
            prop_assert!(text.len() > 253 || text.parse::<Hostname>().is_ok(), "{text}");
        }
    }
}
