//! In which form commands answer.

use std::io;

use clap::ValueEnum;
use serde::Serialize;

use super::Process;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DocumentFormat {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// Prints a value as indented JSON.
pub(super) fn print_json(process: &mut Process<'_>, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(process.stdout, "{text}")
}
