//! `osapi config check`: whether a start here and now would accept the configuration.

use clap::Args;
use serde_json::json;

use super::{
    Process,
    configuration_flags::ConfigurationFlags,
    ending::CommandError,
    format::{ReportFormat, print_json},
};
use crate::app::config::Overrides;

/// Check the configuration without starting anything
#[derive(Debug, Args)]
pub(super) struct ConfigCheck {
    #[command(flatten)]
    configuration: ConfigurationFlags,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
}

pub(super) fn run(command: &ConfigCheck, process: &mut Process<'_>) -> Result<(), CommandError> {
    let loaded = command.configuration.load(process, Overrides::default());
    if command.output == ReportFormat::Json {
        let file = loaded.as_ref().ok().and_then(|loaded| loaded.file.as_ref());
        let error = loaded.as_ref().err();
        let mistakes = error.map(|error| error.each().iter().map(ToString::to_string).collect::<Vec<_>>());
        let answer = json!({
            "valid": loaded.is_ok(),
            "file": file,
            "error": error.map(ToString::to_string),
            "errors": mistakes.unwrap_or_default(),
            "warnings": loaded.as_ref().map_or(&[][..], |loaded| &loaded.warnings),
        });
        print_json(process, &answer)?;
    }
    let loaded = loaded?;
    let lacking = loaded.check_signing_key();
    if command.output == ReportFormat::Text {
        match loaded.file {
            Some(file) => writeln!(process.stdout, "the configuration is valid ({})", file.display())?,
            None => writeln!(process.stdout, "the configuration is valid (no file, built-in defaults)")?,
        }
        for warning in loaded.warnings {
            writeln!(process.stdout, "{warning}")?;
        }
        if let Err(lacking) = lacking {
            writeln!(process.stdout, "a worker can start with it; a process that serves the API cannot: {lacking}")?;
        }
    }
    Ok(())
}
