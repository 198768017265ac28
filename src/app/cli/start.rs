//! `osapi start`: the API, one worker and the embedded queue in one process.

use clap::Args;

use super::{Process, configuration_flags::ConfigurationFlags, ending::CommandError};
use crate::app::config::Overrides;

/// Start the API with one worker and the embedded queue
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    configuration: ConfigurationFlags,
    /// Address to listen on (`api.server.host`)
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on, 0 for any free one (`api.server.port`)
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Where the store and the generated signing key live (`data_dir`)
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
}

impl Start {
    fn overrides(&self) -> Overrides {
        Overrides::default()
            .with("api.server.host", "--host", self.host.as_deref())
            .with("api.server.port", "--port", self.port.as_deref())
            .with("data_dir", "--data-dir", self.data_dir.as_deref())
    }
}

pub(super) fn run(command: &Start, process: &mut Process<'_>) -> Result<(), CommandError> {
    let loaded = command.configuration.load(process, command.overrides())?;
    Err(CommandError::failed(format!("there is nothing to start on {} yet", loaded.settings.api.server.address())))
}
