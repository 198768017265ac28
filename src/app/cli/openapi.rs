//! `osapi openapi`: the API document, without a server.

use clap::Args;

use super::{Process, ending::CommandError, format::DocumentFormat};
use crate::adapters::http::{HttpSettings, document, to_yaml};

/// Print the API document, as the built-in defaults make it
#[derive(Debug, Args)]
pub(super) struct OpenApi {
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = DocumentFormat::Yaml)]
    output: DocumentFormat,
}

pub(super) fn run(command: &OpenApi, process: &mut Process<'_>) -> Result<(), CommandError> {
    let document = document(&HttpSettings::default());
    let text = match command.output {
        DocumentFormat::Yaml => to_yaml(&document),
        DocumentFormat::Json => format!("{document:#}\n"),
    };
    process.stdout.write_all(text.as_bytes())?;
    Ok(())
}
