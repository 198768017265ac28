//! The keys that exist and the shape of their values, as the built-in `default.yaml` says.

use std::path::Path;

use super::{
    ConfigError,
    yaml::{self, Entry, NodeKind},
};

/// The built-in layer: every key with its default and what it means.
pub const DEFAULTS: &str = include_str!("default.yaml");

/// What is written under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    /// More keys.
    Section(&'a [Entry]),
    /// One value.
    Text,
    /// Values in order.
    List,
    /// Keys of the operator's own choice with one value each.
    Pairs,
}

impl<'a> Shape<'a> {
    /// The shape of a default; one without a value stands for one value.
    pub(super) fn of(default: &'a NodeKind) -> Self {
        match default {
            NodeKind::Map(entries) if entries.is_empty() => Self::Pairs,
            NodeKind::Map(entries) => Self::Section(entries),
            NodeKind::List(_) => Self::List,
            NodeKind::Text(_) | NodeKind::Unset => Self::Text,
        }
    }

    /// What is expected of a value of this shape.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Section(entries) => format!("expected a section with {}", names(entries)),
            Self::Text => "expected one value".to_owned(),
            Self::List => "expected a list of values".to_owned(),
            Self::Pairs => "expected keys with one value each".to_owned(),
        }
    }
}

/// The built-in layer as a tree.
pub(super) struct Schema {
    entries: Vec<Entry>,
}

/// A key that can have a value.
pub(super) struct Leaf<'a> {
    /// With dots: `api.server.port`.
    pub(super) key: String,
    /// What is written under it.
    pub(super) shape: Shape<'a>,
}

impl Leaf<'_> {
    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        variable(&self.key)
    }
}

/// The environment variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("OSAPI_{}", key.to_ascii_uppercase().replace('.', "__"))
}

impl Schema {
    pub(super) fn built_in() -> Result<Self, ConfigError> {
        yaml::read(Path::new("default.yaml"), DEFAULTS).map(|entries| Self { entries })
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every key that can have a value, in the order of `default.yaml`.
    pub(super) fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut leaves = Vec::new();
        collect(&self.entries, "", &mut leaves);
        leaves
    }
}

fn collect<'a>(entries: &'a [Entry], prefix: &str, leaves: &mut Vec<Leaf<'a>>) {
    for entry in entries {
        let key = join(prefix, &entry.key);
        match Shape::of(&entry.value.kind) {
            Shape::Section(inner) => collect(inner, &key, leaves),
            shape => leaves.push(Leaf { key, shape }),
        }
    }
}

/// The dotted name of a key inside a section.
pub(super) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// The keys of a section, for messages.
pub(super) fn names(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("`{}`", entry.key)).collect::<Vec<_>>().join(", ")
}
