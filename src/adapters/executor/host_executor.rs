//! Finds what runs an operation.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{
    command_exec::Commands, host_files::HostFiles, node_disk, node_hostname, node_load, node_memory, node_os,
    node_status, node_uptime,
};
use crate::{
    domain::{
        Failure, Hostname, Labels, Operation, Output,
        operation::{node_disk_get::NodeDisks, node_uptime_get::NodeUptime},
    },
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
}

impl HostExecutorConfig {
    /// An executor for this very host which runs no commands.
    #[must_use]
    pub fn new(hostname: Hostname, labels: Labels) -> Self {
        Self { hostname, labels, root: PathBuf::from("/"), allowed_commands: Vec::new() }
    }
}

/// Runs operations on this host.
pub struct HostExecutor {
    host: Arc<Host>,
    commands: Commands,
}

/// What operations read.
pub(super) struct Host {
    pub(super) hostname: Hostname,
    pub(super) labels: Labels,
    pub(super) files: HostFiles,
}

impl HostExecutor {
    /// An executor for the host below this root.
    #[must_use]
    pub fn new(config: HostExecutorConfig) -> Self {
        let HostExecutorConfig { hostname, labels, root, allowed_commands } = config;
        let host = Arc::new(Host { hostname, labels, files: HostFiles::new(root) });
        Self { host, commands: Commands::new(allowed_commands) }
    }
}

/// Runs an operation on a thread that may block.
pub(super) fn run(host: &Host, operation: &Operation) -> Result<Output, Failure> {
    match operation {
        Operation::NodeHostnameGet(_) => Ok(Output::NodeHostnameGet(node_hostname::read(host))),
        Operation::NodeStatusGet(_) => Ok(Output::NodeStatusGet(node_status::read(host))),
        Operation::NodeUptimeGet(_) => {
            node_uptime::read(&host.files).map(|uptime_seconds| Output::NodeUptimeGet(NodeUptime { uptime_seconds }))
        }
        Operation::NodeOsGet(_) => node_os::read(&host.files).map(Output::NodeOsGet),
        Operation::NodeLoadGet(_) => node_load::read(&host.files).map(Output::NodeLoadGet),
        Operation::NodeMemoryGet(_) => node_memory::read(&host.files).map(Output::NodeMemoryGet),
        Operation::NodeDiskGet(_) => node_disk::read(&host.files).map(|disks| Output::NodeDiskGet(NodeDisks { disks })),
        Operation::CommandExec(_) => Err("a command is a process of its own".to_owned()),
    }
    .map_err(Failure::operation)
}

#[async_trait]
impl OperationExecutor for HostExecutor {
    fn commands_enabled(&self) -> bool {
        self.commands.any()
    }

    async fn execute(&self, operation: Operation, stop: StopSignal) -> Result<Output, Failure> {
        if let Operation::CommandExec(input) = operation {
            return self.commands.run(input, stop).await.map(Output::CommandExec);
        }
        let host = Arc::clone(&self.host);
        match tokio::task::spawn_blocking(move || run(&host, &operation)).await {
            Ok(ended) => ended,
            // A bug in an operation is the worker's to report.
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Failure::operation("the process is stopping")),
        }
    }
}
