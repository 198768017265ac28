//! `osapi start`, `osapi api server start` and `osapi job worker start`: the processes of a service.

use clap::Args;
use tokio::runtime;

use super::{
    Process,
    configuration_flags::ConfigurationFlags,
    data_flags::{DataFlags, quoted},
    ending::CommandError,
    greeting,
};
use crate::app::{
    boot::{Inherited, boot},
    composition::{Role, Server, StartError, Surroundings},
    config::{Loaded, Overrides, QueueBackend},
    logging::{self, Log},
    shutdown,
    version::{REVISION, VERSION},
};

/// Start the API with one worker in one process
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    flags: ApiFlags,
}

/// Start the API without a worker, as one of the processes of a fleet
#[derive(Debug, Args)]
pub(super) struct ApiStart {
    #[command(flatten)]
    flags: ApiFlags,
}

/// Start the worker of this host, as one of the processes of a fleet
#[derive(Debug, Args)]
pub(super) struct WorkerStart {
    #[command(flatten)]
    configuration: ConfigurationFlags,
    /// Name of this host in the fleet (`job.worker.hostname`)
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Address of the health and metrics pages, port 0 for any free one (`job.worker.listen`)
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

/// What the commands take that serve the API.
#[derive(Debug, Args)]
struct ApiFlags {
    #[command(flatten)]
    data: DataFlags,
    /// Address to listen on (`api.server.host`)
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on, 0 for any free one (`api.server.port`)
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
}

impl ApiFlags {
    fn load(&self, process: &Process<'_>) -> Result<Loaded, CommandError> {
        let overrides = Overrides::default().with("api.server.host", "--host", self.host.as_deref()).with(
            "api.server.port",
            "--port",
            self.port.as_deref(),
        );
        let loaded = self.data.load(process, overrides)?;
        loaded.check_signing_key()?;
        Ok(loaded)
    }
}

pub(super) fn whole(command: &Start, process: &mut Process<'_>) -> Result<(), CommandError> {
    let inherited = booted(process)?;
    let loaded = command.flags.load(process)?;
    run(Role::Whole, &loaded, inherited, &command.flags.data.to_words(), process)
}

pub(super) fn api(command: &ApiStart, process: &mut Process<'_>) -> Result<(), CommandError> {
    let inherited = booted(process)?;
    let loaded = command.flags.load(process)?;
    loaded.check_fleet("osapi api server start")?;
    run(Role::Api, &loaded, inherited, &command.flags.data.to_words(), process)
}

pub(super) fn worker(command: &WorkerStart, process: &mut Process<'_>) -> Result<(), CommandError> {
    let inherited = booted(process)?;
    let overrides = Overrides::default().with("job.worker.hostname", "--hostname", command.hostname.as_deref()).with(
        "job.worker.listen",
        "--listen",
        command.listen.as_deref(),
    );
    let loaded = command.configuration.load(process, overrides)?;
    loaded.check_fleet("osapi job worker start")?;
    run(Role::Worker, &loaded, inherited, "", process)
}

fn booted(process: &mut Process<'_>) -> Result<Inherited, CommandError> {
    boot(&mut process.env, process.stdin).map_err(CommandError::failed)
}

/// `words`: the flags with which a token is made for this process.
fn run(
    role: Role,
    loaded: &Loaded,
    inherited: Inherited,
    words: &str,
    process: &mut Process<'_>,
) -> Result<(), CommandError> {
    let log = logging::install(&loaded.settings.log)
        .map_err(|source| CommandError::failed(StartError::System { what: "start the log", source }))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    tracing::debug!(from = inherited.open_files, to = inherited.raised_to, "raised the limit of open file descriptors");
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|source| CommandError::failed(StartError::System { what: "start the runtime", source }))?;
    runtime.block_on(serve(role, loaded, inherited, &log, words, process))
}

async fn serve(
    role: Role,
    loaded: &Loaded,
    inherited: Inherited,
    log: &Log,
    words: &str,
    process: &mut Process<'_>,
) -> Result<(), CommandError> {
    let settings = &loaded.settings;
    let key_is_configured = settings.api.server.security.signing_key.is_some();
    if role == Role::Worker && key_is_configured {
        tracing::warn!("a worker needs no `api.server.security.signing_key`: keep it from this host");
    }
    let stopping = shutdown::on_signals(log.flush())
        .map_err(|source| CommandError::failed(StartError::System { what: "listen for signals", source }))?;
    let variables = process.env.clone();
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| variable == name);
        found.and_then(|(_, value)| value.to_str().map(str::to_owned))
    };
    let surroundings = Surroundings { inherited, log_records_dropped: log.dropped(), variable: &variable };
    let server = match Server::start(settings, role, surroundings, stopping).await {
        Ok(server) => server,
        Err(stopped @ StartError::Stopped) => {
            tracing::info!("{stopped}");
            return Ok(());
        }
        Err(error) => return Err(CommandError::failed(error)),
    };
    let addresses = server.addresses();
    let (queue, worker) = (&settings.job.queue, &settings.job.worker);
    tracing::info!(
        configuration = loaded.file.as_ref().map_or_else(|| "built-in".to_owned(), |file| file.display().to_string()),
        address = %addresses.main,
        metrics = addresses.metrics_url().unwrap_or_else(|| "off".to_owned()),
        data_dir = role.serves().then(|| settings.data_dir.display().to_string()),
        worker = role.works().then(|| worker.hostname.as_str()),
        queue = match queue.backend {
            QueueBackend::Embedded => "embedded".to_owned(),
            QueueBackend::Nats => queue.nats.url.join(","),
        },
        durability = server.durability().as_str(),
        version = VERSION,
        revision = REVISION,
        "ready"
    );
    greeting::say(if role.serves() {
        let token = format!("{} token generate --role write{words}", quoted(&process.program));
        greeting::for_callers(addresses, &token, key_is_configured)
    } else {
        greeting::of_worker(addresses, worker.hostname.as_str())
    });
    if let Err(error) = server.run().await {
        // Standard error may have a reader that does not read; the log does not wait for it.
        tracing::error!("{error}");
        return Err(CommandError::Logged);
    }
    tracing::info!("stopped");
    Ok(())
}
