//! `osapi start`: the API, one worker and the embedded queue in one process.

use std::{io, io::Write};

use clap::Args;
use tokio::runtime;

use super::{
    Process,
    data_flags::{DataFlags, quoted},
    ending::CommandError,
};
use crate::app::{
    composition::{Addresses, Server, StartError},
    config::{Loaded, Overrides},
    logging, shutdown,
};

/// Start the API with one worker and the embedded queue
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    data: DataFlags,
    /// Address to listen on (`api.server.host`)
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on, 0 for any free one (`api.server.port`)
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
}

impl Start {
    fn overrides(&self) -> Overrides {
        Overrides::default().with("api.server.host", "--host", self.host.as_deref()).with(
            "api.server.port",
            "--port",
            self.port.as_deref(),
        )
    }
}

pub(super) fn run(command: &Start, process: &mut Process<'_>) -> Result<(), CommandError> {
    let loaded = command.data.load(process, command.overrides())?;
    logging::install(&loaded.settings.log);
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|source| CommandError::failed(StartError::System { what: "start the runtime", source }))?;
    runtime.block_on(serve(command, &loaded, process))
}

async fn serve(command: &Start, loaded: &Loaded, process: &mut Process<'_>) -> Result<(), CommandError> {
    let settings = &loaded.settings;
    let stopping = shutdown::on_signals()
        .map_err(|source| CommandError::failed(StartError::System { what: "listen for signals", source }))?;
    let variables = process.env.clone();
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| variable == name);
        found.and_then(|(_, value)| value.to_str().map(str::to_owned))
    };
    let server = Server::start(settings, variable, stopping).await.map_err(CommandError::failed)?;
    let addresses = server.addresses();
    tracing::info!(
        configuration = loaded.file.as_ref().map_or_else(|| "built-in".to_owned(), |file| file.display().to_string()),
        address = %addresses.api,
        metrics = addresses.metrics_url().unwrap_or_else(|| "off".to_owned()),
        data_dir = %settings.data_dir.display(),
        durability = settings.job.queue.durability.as_str(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    let key_is_configured = settings.api.server.security.signing_key.is_some();
    let words = command.data.to_words();
    let token = format!("{} token generate --role write{words}", quoted(&process.program));
    // A service that cannot greet serves all the same.
    let _ = greet(process, addresses, &token, key_is_configured);
    server.run().await.map_err(CommandError::failed)?;
    tracing::info!("stopped");
    Ok(())
}

fn greet(process: &mut Process<'_>, addresses: &Addresses, token: &str, key_is_configured: bool) -> io::Result<()> {
    let api = addresses.api;
    let out = &mut process.stdout;
    writeln!(out, "osapi {} is ready", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  API      http://{api}/api/v1/jobs")?;
    writeln!(out, "  docs     http://{api}/docs")?;
    match addresses.metrics_url() {
        Some(url) => writeln!(out, "  metrics  {url}")?,
        None => writeln!(out, "  metrics  off (telemetry.metrics.enabled)")?,
    }
    let origin = if key_is_configured { ", with the configured signing key" } else { "" };
    writeln!(out, "  token    {token}{origin}")?;
    out.flush()
}
