//! Where a value was written.

use std::{fmt, path::Path};

use config::Value;

/// The place that a value came from, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// The built-in `default.yaml`.
    pub(super) fn default_layer() -> Self {
        Self("default".to_owned())
    }

    /// What the operating system calls this host.
    pub(super) fn system() -> Self {
        Self("system hostname".to_owned())
    }

    /// A line of the configuration file, counted from 1.
    pub(super) fn file(path: &Path, line: usize) -> Self {
        Self(format!("{}, line {line}", path.display()))
    }

    /// A variable of the environment.
    pub(super) fn variable(name: &str) -> Self {
        Self(format!("environment variable {name}"))
    }

    /// A flag of the command line.
    pub(super) fn flag(name: &str) -> Self {
        Self(format!("flag {name}"))
    }

    /// The origin of a merged value. A table has no origin of its own but those of its entries; one without entries is
    /// what it was from the beginning.
    pub(super) fn of(value: &Value) -> Option<Self> {
        if let Some(origin) = value.origin() {
            return Some(Self(origin.to_owned()));
        }
        let config::ValueKind::Table(entries) = &value.kind else { return None };
        let mut origins: Vec<_> = entries.values().filter_map(Value::origin).collect();
        origins.sort_unstable();
        origins.dedup();
        if origins.is_empty() { Some(Self::default_layer()) } else { Some(Self(origins.join("; "))) }
    }

    /// A value that remembers this origin.
    pub(super) fn mark(&self, kind: impl Into<config::ValueKind>) -> Value {
        Value::new(Some(&self.0), kind)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
