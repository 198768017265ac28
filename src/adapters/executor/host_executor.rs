//! Finds what runs an operation.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{
    command_exec::Commands, host_files::HostFiles, launcher::Launcher, network_dns_get, network_dns_update,
    network_ping, node_disk, node_hostname, node_load, node_memory, node_os, node_status, node_uptime,
    silent_servers::SilentServers,
};
use crate::{
    domain::{Failure, Hostname, Labels, Operation, Output, operation::node_uptime_get::NodeUptime},
    ports::driven::{OperationExecutor, StopSignal},
};

/// What an executor is made with.
#[derive(Debug, Clone)]
pub struct HostExecutorConfig {
    /// The name of this host in the fleet.
    pub hostname: Hostname,
    /// The labels of its worker.
    pub labels: Labels,
    /// Where the host's files are: `/`.
    pub root: PathBuf,
    /// The programs that `command.exec` may run: absolute paths, compared as they are written.
    pub allowed_commands: Vec<String>,
    /// How they are started.
    pub launcher: Launcher,
    /// Bytes of the largest record that takes a result. What a command writes is cut so that it fits.
    pub largest_record: usize,
}

impl HostExecutorConfig {
    /// An executor for this very host which runs no commands.
    #[must_use]
    pub fn new(hostname: Hostname, labels: Labels) -> Self {
        let (root, launcher) = (PathBuf::from("/"), Launcher::default());
        Self { hostname, labels, root, allowed_commands: Vec::new(), launcher, largest_record: usize::MAX }
    }
}

/// Runs operations on this host.
pub struct HostExecutor {
    host: Arc<Host>,
}

/// What operations read.
pub(super) struct Host {
    pub(super) hostname: Hostname,
    pub(super) labels: Labels,
    pub(super) files: HostFiles,
    /// The programs that may be run.
    pub(super) commands: Commands,
    pub(super) silent_servers: SilentServers,
    /// Held while name servers are changed.
    pub(super) dns_turn: Arc<tokio::sync::Mutex<()>>,
}

impl HostExecutor {
    /// An executor for the host below this root.
    #[must_use]
    pub fn new(config: HostExecutorConfig) -> Self {
        let HostExecutorConfig { hostname, labels, root, allowed_commands, launcher, largest_record } = config;
        let (files, commands) = (HostFiles::new(root), Commands::new(allowed_commands, launcher, largest_record));
        let (silent_servers, dns_turn) = (SilentServers::default(), Arc::default());
        Self { host: Arc::new(Host { hostname, labels, files, commands, silent_servers, dns_turn }) }
    }
}

/// Finds what runs an operation.
async fn run(host: Arc<Host>, operation: Operation, stop: StopSignal) -> Result<Output, Failure> {
    match operation {
        Operation::NodeHostnameGet(_) => Ok(Output::NodeHostnameGet(node_hostname::read(&host))),
        Operation::NodeStatusGet(_) => on_thread(move || Ok(node_status::read(&host))).await.map(Output::NodeStatusGet),
        Operation::NodeUptimeGet(_) => {
            let uptime = on_thread(move || node_uptime::read(&host.files)).await;
            uptime.map(|uptime_seconds| Output::NodeUptimeGet(NodeUptime { uptime_seconds }))
        }
        Operation::NodeOsGet(_) => on_thread(move || node_os::read(&host.files)).await.map(Output::NodeOsGet),
        Operation::NodeLoadGet(_) => on_thread(move || node_load::read(&host.files)).await.map(Output::NodeLoadGet),
        Operation::NodeMemoryGet(_) => {
            on_thread(move || node_memory::read(&host.files)).await.map(Output::NodeMemoryGet)
        }
        Operation::NodeDiskGet(_) => on_thread(move || node_disk::read(&host)).await?.whole(),
        Operation::NetworkDnsGet(query) => network_dns_get::run(&host, &query).await.map(Output::NetworkDnsGet),
        Operation::NetworkDnsUpdate(change) => {
            network_dns_update::run(&host, &change).await.map(Output::NetworkDnsUpdate)
        }
        Operation::CommandExec(command) => host.commands.run(command, stop).await.map(Output::CommandExec),
        Operation::NetworkPing(ping) => network_ping::run(&ping, stop).await.map(Output::NetworkPing),
    }
}

/// Does work that blocks on a thread that may.
pub(super) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(ended) => ended.map_err(Failure::operation),
        // A bug in an operation is the worker's to report.
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(Failure::operation("the process is stopping")),
    }
}

#[async_trait]
impl OperationExecutor for HostExecutor {
    fn commands_enabled(&self) -> bool {
        self.host.commands.any()
    }

    async fn execute(&self, operation: Operation, stop: StopSignal) -> Result<Output, Failure> {
        run(Arc::clone(&self.host), operation, stop).await
    }
}
