//! Names of network interfaces.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest name: `IFNAMSIZ` of Linux, less its final NUL.
const MAX_LENGTH: usize = 15;
/// The same rule for the API document. Its alternatives are names that begin with no dot, with one, and with two.
pub const PATTERN: &str = r"^(?:[!-,0-9;-~][!-.0-9;-~]{0,14}|\.[!-\-0-9;-~][!-.0-9;-~]{0,13}|\.\.[!-.0-9;-~]{1,13})$";

/// The name of a network interface as the kernel accepts it (`dev_valid_name`): 1–15 bytes without `/`, `:` and blanks,
/// neither `.` nor `..`.
///
/// Narrower than the kernel in two ways: only visible ASCII, and nothing that begins with `-`, so that no program that
/// gets the name takes it for an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not the name of an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the name of an interface: 1 to 15 visible ASCII characters without / and :, no - in front, not . or .."
)]
pub struct InvalidInterfaceName;

impl FromStr for InterfaceName {
    type Err = InvalidInterfaceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
        let fits = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(allowed);
        if fits && !text.starts_with('-') && text != "." && text != ".." {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInterfaceName)
        }
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = InvalidInterfaceName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> Self {
        name.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for InterfaceName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InterfaceName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of a network interface, e.g. `eth0`.",
            "pattern": PATTERN,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_hosts_have_are_accepted() {
        for name in
            ["lo", "eth0", "enp0s31f6", "br-1a2b3c4d5e6f", "wg0", "eth0.100", "veth1234567@x", "...", ".x", "a%b"]
        {
            assert_eq!(name.parse::<InterfaceName>().map(String::from).as_deref(), Ok(name));
        }
    }

    #[test]
    fn nothing_gets_through_that_is_a_path_an_option_or_not_a_name() {
        let long = "e".repeat(16);
        for text in
            ["", "-h", "--help", "-", ".", "..", "a/b", "../x", "a b", "a\tb", "a\0", "a\n", "eth0:1", "é", &long]
        {
            let refused = text.parse::<InterfaceName>().expect_err(text).to_string();
            assert!(text.len() < 3 || !refused.contains(text), "the message repeats {text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_pattern_of_the_document_is_the_rule(
            text in prop_oneof!["\\PC{0,17}", "[!-~]{0,17}", "[.-]{0,3}[!-~]{0,16}", "(?s).{0,4}", "[a-z/: \n\0.-]{0,5}"],
        ) {
            let matched = regex::Regex::new(PATTERN).expect("a pattern").is_match(&text);
            prop_assert_eq!(text.parse::<InterfaceName>().is_ok(), matched, "{:?}", text);
        }
    }
}
