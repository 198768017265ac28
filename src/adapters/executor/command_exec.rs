//! `command.exec`: runs the programs that the configuration lists.
//!
//! docs/commands.md says what a program can rely on and what happens to it. Processes and their output have files of
//! their own.

use std::{collections::BTreeSet, fmt, future::pending, io, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    captured_output::kept_in,
    launcher::{Launch, Launcher},
    output_streams::OutputStreams,
    process_group::{Ending, ProcessGroup},
};
use crate::{
    domain::{
        ErrorKind, Failure, FailureKind, Output,
        operation::command_exec::{Argv, CommandInput, CommandResult},
    },
    ports::driven::StopSignal,
};

/// All that a program finds in its environment.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
];
/// The working directory of a program: one that is always there, and keeps no filesystem busy.
const DIRECTORY: &str = "/";
/// Time for a program to end after SIGTERM.
const TERM_GRACE: Duration = Duration::from_millis(1500);
/// Time for what a program left behind, such as the end of a pipeline, to finish its output and end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Time for the kernel to end a command after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(1);
/// Time for the rest of its group to be gone, and to take what the dead had written. Whoever keeps an output open for
/// longer has left the group; who stays in the process table for longer is dead and waits for the system to notice.
const LAST_LOOK: Duration = Duration::from_millis(200);
/// What [`crate::ports::driven::OperationExecutor`] promises.
const STOPPED_WITHIN: Duration = Duration::from_secs(3);
const _: () =
    assert!(TERM_GRACE.as_millis() + AFTER_KILL.as_millis() + LAST_LOOK.as_millis() < STOPPED_WITHIN.as_millis());

/// The programs that may be run.
pub(super) struct Commands {
    allowed: BTreeSet<String>,
    launcher: Launcher,
    /// Bytes that are kept of the beginning, and of the end, of each output.
    kept: usize,
}

impl Commands {
    /// Only these, by the exact spelling of their paths. Their output has to fit into a record of this size.
    pub(super) fn new(allowed: Vec<String>, launcher: Launcher, record: usize) -> Self {
        Self { allowed: allowed.into_iter().collect(), launcher, kept: kept_in(record) }
    }

    pub(super) fn any(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Runs a command to its end, or until it is told to stop.
    pub(super) async fn run(&self, input: CommandInput, stop: StopSignal) -> Result<CommandResult, Failure> {
        if !self.allowed.contains(input.command.program()) {
            let message = ErrorKind::NotAllowed.message().to_owned();
            return Err(Failure { kind: FailureKind::NotAllowed, message, partial: None });
        }
        if *stop.borrow() {
            return Err(Failure::operation("told to stop before the command started"));
        }
        match RunningCommand::start(&self.launcher, &input.command, self.kept).await {
            Ok(running) => running.finish(stop).await,
            Err(error) => Err(Failure::operation(format!("cannot start the command: {}", Refusal(&error)))),
        }
    }
}

/// A command that was started. Everybody in its process group is killed when this is dropped.
struct RunningCommand {
    group: ProcessGroup,
    output: OutputStreams,
    started: Instant,
    /// How and when it ended.
    ended: Option<(Option<Ending>, Instant)>,
}

impl RunningCommand {
    async fn start(launcher: &Launcher, argv: &Argv, kept: usize) -> io::Result<Self> {
        let launch = Launch {
            program: argv.program().to_owned(),
            arguments: argv.arguments().to_vec(),
            environment: &ENVIRONMENT,
            directory: DIRECTORY,
        };
        let launcher = launcher.clone();
        let (group, mut child) = ProcessGroup::start(move || launcher.start(&launch)).await?;
        let started = Instant::now();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("it has no output"));
        };
        Ok(Self { group, output: OutputStreams::new(stdout, stderr, kept)?, started, ended: None })
    }

    async fn finish(mut self, mut stop: StopSignal) -> Result<CommandResult, Failure> {
        let stopped = tokio::select! {
            biased;
            () = self.end() => false,
            () = told(&mut stop) => true,
        };
        if stopped {
            self.output.interrupt();
            self.group.terminate();
            let _ = timeout(TERM_GRACE, async {
                self.end().await;
                self.last_words().await;
            })
            .await;
        } else {
            tokio::select! {
                () = self.last_words() => {}
                () = told(&mut stop) => {}
            }
        }
        self.output.interrupt();
        self.group.kill();
        if timeout(AFTER_KILL, self.end()).await.is_ok() {
            let _ = timeout(LAST_LOOK, async { tokio::join!(self.output.drain(), self.group.gone()) }).await;
        }
        self.outcome(stopped)
    }

    /// Waits for the end of the command itself, taking what is written.
    async fn end(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let ending = tokio::select! {
            biased;
            ending = self.group.ended() => ending,
            () = async { self.output.drain().await; pending().await } => return,
        };
        self.ended = Some((ending, Instant::now()));
    }

    async fn last_words(&mut self) {
        let _ = timeout(LAST_WORDS, self.output.drain()).await;
    }

    fn outcome(self, stopped: bool) -> Result<CommandResult, Failure> {
        let (ending, ended_at) = self.ended.unwrap_or_else(|| (None, Instant::now()));
        let unknown = if self.ended.is_some() { "ended in a way that was not seen" } else { "could not be ended" };
        let (stdout, stderr) = self.output.write();
        let result = CommandResult {
            exit_code: ending.and_then(Ending::exit_code),
            signal: ending.and_then(Ending::signal),
            stdout: stdout.text,
            stdout_encoding: stdout.encoding,
            stdout_truncated: stdout.truncated,
            stderr: stderr.text,
            stderr_encoding: stderr.encoding,
            stderr_truncated: stderr.truncated,
            duration_seconds: ended_at.duration_since(self.started).as_secs_f64(),
        };
        let (kind, message) = match ending {
            Some(Ending::Exited(0)) if !stopped => return Ok(result),
            Some(ending) if !stopped => (FailureKind::ExitStatus, format!("the command {ending}")),
            Some(ending) => (FailureKind::Operation, format!("the command {ending} after it was told to stop")),
            None => (FailureKind::Operation, format!("the command {unknown}")),
        };
        Err(Failure { kind, message, partial: Some(Box::new(Output::CommandExec(result))) })
    }
}

/// Waits until it must stop.
async fn told(stop: &mut StopSignal) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        pending::<()>().await;
    }
}

/// Why a program did not start, in words where the system's are not enough.
struct Refusal<'a>(&'a io::Error);

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::NotFound => f.write_str("there is no such file, or its interpreter is missing"),
            io::ErrorKind::PermissionDenied => f.write_str("it is not executable for the worker's user"),
            io::ErrorKind::ArgumentListTooLong => f.write_str("its arguments are too long for this system"),
            _ => self.0.fmt(f),
        }
    }
}
