//! `osapi config show`: the configuration that a start here and now would use.

use clap::Args;

use super::{
    Process,
    configuration_flags::ConfigurationFlags,
    ending::CommandError,
    format::{DocumentFormat, print_json},
};
use crate::app::config::Overrides;

/// Show the effective configuration and where each value comes from; secrets are left out
#[derive(Debug, Args)]
pub(super) struct ConfigShow {
    #[command(flatten)]
    configuration: ConfigurationFlags,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = DocumentFormat::Yaml)]
    output: DocumentFormat,
}

pub(super) fn run(command: &ConfigShow, process: &mut Process<'_>) -> Result<(), CommandError> {
    let loaded = command.configuration.load(process, Overrides::default())?;
    match command.output {
        DocumentFormat::Yaml => process.stdout.write_all(loaded.to_yaml()?.as_bytes())?,
        DocumentFormat::Json => print_json(process, &loaded.settings)?,
    }
    Ok(())
}
