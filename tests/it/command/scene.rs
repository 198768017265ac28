//! Commands on this host, and the fifo through which they speak to the test.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use osapi::{
    adapters::executor::{HostExecutor, HostExecutorConfig, Launcher},
    domain::{Failure, Labels, Operation, OperationKind, Output, operation::command_exec::CommandResult},
    ports::driven::OperationExecutor,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) fn executor(allowed: &[&str]) -> Arc<HostExecutor> {
    let allowed_commands = allowed.iter().map(|path| (*path).to_owned()).collect();
    let config = HostExecutorConfig::new("web-1".parse().unwrap(), Labels::default());
    let launcher = Launcher { program: env!("CARGO_BIN_EXE_osapi").into(), ..Launcher::default() };
    Arc::new(HostExecutor::new(HostExecutorConfig { allowed_commands, launcher, ..config }))
}

pub(super) fn operation(argv: &[&str]) -> Operation {
    Operation::deserialize(OperationKind::CommandExec, json!({ "command": argv })).unwrap()
}

/// A command that runs.
pub(super) struct Running {
    pub(super) task: JoinHandle<Result<Output, Failure>>,
    stop: watch::Sender<bool>,
}

impl Running {
    pub(super) fn start(argv: &[&str]) -> Self {
        Self::start_on(&executor(&[argv[0]]), argv)
    }

    pub(super) fn start_on(executor: &Arc<HostExecutor>, argv: &[&str]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (executor, operation) = (Arc::clone(executor), operation(argv));
        Self { task: tokio::spawn(async move { executor.execute(operation, stopped).await }), stop }
    }

    /// A script of the shell with its parameters.
    pub(super) fn script(script: &str, parameters: &[&str]) -> Self {
        Self::start(&[&["/bin/sh", "-c", script, "sh"], parameters].concat())
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end; what failed comes with its message and what is kept.
    pub(super) async fn end(self) -> Result<CommandResult, (Failure, Option<CommandResult>)> {
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
        match ended {
            Ok(output) => Ok(result(&output)),
            Err(failure) => {
                let kept = failure.partial.as_deref().map(result);
                Err((failure, kept))
            }
        }
    }

    /// The end of a command that must fail and keep its output.
    pub(super) async fn failure(self) -> (Failure, CommandResult) {
        let (failure, kept) = self.end().await.expect_err("it failed");
        (failure, kept.expect("the output is kept"))
    }
}

fn result(output: &Output) -> CommandResult {
    match output {
        Output::CommandExec(result) => result.clone(),
        other => panic!("{other:?}"),
    }
}

/// Waits until a process and its number are gone.
pub(super) async fn collected(pid: &str) {
    let gone = async {
        while Path::new("/proc").join(pid).exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it is collected");
}

/// A pipe with a name.
pub(super) struct Fifo {
    path: PathBuf,
    _directory: TempDir,
}

impl Fifo {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        Self { path, _directory: directory }
    }

    pub(super) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Listens until everybody who can write to it is gone.
    pub(super) fn listen(&self) -> Listener {
        let (path, (said, lines)) = (self.path.clone(), mpsc::unbounded_channel());
        std::thread::spawn(move || {
            for line in BufReader::new(File::open(path).unwrap()).lines() {
                let _ = said.send(line.unwrap());
            }
        });
        Listener(lines)
    }
}

/// Hears what is written to a fifo.
pub(super) struct Listener(mpsc::UnboundedReceiver<String>);

impl Listener {
    pub(super) async fn line(&mut self) -> String {
        self.next().await.expect("somebody speaks")
    }

    /// Waits until nobody holds the other end: all processes that had it are gone.
    pub(super) async fn silence(&mut self) {
        assert_eq!(self.next().await, None);
    }

    /// The next line, while there is somebody who could write one.
    pub(super) async fn next(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.0.recv()).await.expect("in time")
    }
}
