//! Labels that workers carry, and the selectors that match them by dotted prefix.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest key or value, in characters.
const MAX_LENGTH: usize = 63;
/// Most labels one worker may carry.
const MAX_LABELS: usize = 64;

/// The labels of one worker, `key → value`, ordered by key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

/// A label or selector that cannot be: says which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    /// The key or value breaks the spelling rule.
    #[error(
        "label keys and values are 1 to {MAX_LENGTH} letters, digits, '-' and '_', in values also inner single dots"
    )]
    Spelling,
    /// A selector without a colon.
    #[error("expected key:value")]
    MissingColon,
    /// More labels than a worker may carry.
    #[error("at most {MAX_LABELS} labels are allowed")]
    TooMany,
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn check(key: &str, value: &str) -> Result<(), InvalidLabel> {
    let fits = key.len() <= MAX_LENGTH && value.len() <= MAX_LENGTH;
    if fits && is_word(key) && value.split('.').all(is_word) { Ok(()) } else { Err(InvalidLabel::Spelling) }
}

impl Labels {
    /// The labels as pairs, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = InvalidLabel;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        if pairs.len() > MAX_LABELS {
            return Err(InvalidLabel::TooMany);
        }
        pairs.iter().try_for_each(|(key, value)| check(key, value))?;
        Ok(Self(pairs))
    }
}

/// Selects workers by one label: `group:web` matches `web`, `web.dev` and `web.dev.eu`, and not `webs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    key: String,
    prefix: String,
}

impl LabelSelector {
    /// Whether a worker with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.0.get(&self.key).is_some_and(|value| {
            value.strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

impl FromStr for LabelSelector {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, prefix) = text.split_once(':').ok_or(InvalidLabel::MissingColon)?;
        check(key, prefix)?;
        Ok(Self { key: key.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.key, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(key: &str, value: &str) -> Labels {
        BTreeMap::from([(key.to_owned(), value.to_owned())]).try_into().expect("valid labels")
    }

    #[test]
    fn a_selector_matches_by_dotted_prefix() {
        let selector: LabelSelector = "group:web.dev".parse().expect("valid selector");
        for (value, expected) in
            [("web.dev", true), ("web.dev.eu", true), ("web", false), ("web.devs", false), ("x.web.dev", false)]
        {
            assert_eq!(selector.matches(&labels("group", value)), expected, "{value}");
        }
        assert!(!selector.matches(&labels("role", "web.dev")));
    }

    #[test]
    fn selectors_print_as_they_were_written() {
        assert_eq!("group:web.dev".parse::<LabelSelector>().expect("valid").to_string(), "group:web.dev");
    }

    #[test]
    fn misspelled_labels_are_refused() {
        for text in ["group", ":web", "group:", "group:web.", "group:.web", "group:a..b", "gr oup:web", "a:b:c"] {
            assert!(text.parse::<LabelSelector>().is_err(), "{text:?}");
        }
        let pairs = (0..=MAX_LABELS).map(|index| (format!("k{index}"), "v".to_owned())).collect::<BTreeMap<_, _>>();
        assert_eq!(Labels::try_from(pairs), Err(InvalidLabel::TooMany));
    }
}
