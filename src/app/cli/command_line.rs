//! The arguments of the program and the commands that they name.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use super::{
    ExitStatus, Process,
    config_check::{self, ConfigCheck},
    config_show::{self, ConfigShow},
    ending::CommandError,
    openapi::{self, OpenApi},
    start::{self, ApiStart, Start, WorkerStart},
    token_generate::{self, TokenGenerate},
    token_validate::{self, TokenValidate},
};
use crate::app::version::LONG_VERSION;

/// REST job service for Linux fleets with metrics an operator can trust
#[derive(Debug, Parser)]
#[command(name = "osapi", version = LONG_VERSION, arg_required_else_help = true, subcommand_required = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Start(Start),
    /// The API processes of a fleet
    #[command(subcommand)]
    Api(ApiCommand),
    /// The workers of a fleet
    #[command(subcommand)]
    Job(JobCommand),
    /// Make and check the tokens that callers need
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    Openapi(OpenApi),
}

#[derive(Debug, Subcommand)]
enum ApiCommand {
    /// The server of the API
    #[command(subcommand)]
    Server(ApiServerCommand),
}

#[derive(Debug, Subcommand)]
enum ApiServerCommand {
    Start(ApiStart),
}

#[derive(Debug, Subcommand)]
enum JobCommand {
    /// The worker of this host
    #[command(subcommand)]
    Worker(JobWorkerCommand),
}

#[derive(Debug, Subcommand)]
enum JobWorkerCommand {
    Start(WorkerStart),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Generate(TokenGenerate),
    Validate(TokenValidate),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    Show(ConfigShow),
    Check(ConfigCheck),
}

/// Runs the command that `args` name; the first of them is the program's own name.
pub fn run(args: impl IntoIterator<Item = OsString>, process: &mut Process<'_>) -> ExitStatus {
    let ended = match CommandLine::try_parse_from(args) {
        Ok(line) => dispatch(&line.command, process),
        Err(answer) if answer.use_stderr() => return refuse(&answer.render().to_string(), process),
        Err(help) => write!(process.stdout, "{}", help.render()).map_err(CommandError::from),
    };
    match ended.and_then(|()| Ok(process.stdout.flush()?)) {
        Ok(()) => ExitStatus::Success,
        Err(error) => {
            let status = error.status();
            if status != ExitStatus::Success && !matches!(error, CommandError::Logged) {
                // Where this cannot be written, the exit code says it alone. Several mistakes are one a line.
                for line in error.to_string().lines() {
                    let _ = writeln!(process.stderr, "osapi: {line}");
                }
            }
            status
        }
    }
}

fn dispatch(command: &Command, process: &mut Process<'_>) -> Result<(), CommandError> {
    match command {
        Command::Start(command) => start::whole(command, process),
        Command::Api(ApiCommand::Server(ApiServerCommand::Start(command))) => start::api(command, process),
        Command::Job(JobCommand::Worker(JobWorkerCommand::Start(command))) => start::worker(command, process),
        Command::Token(TokenCommand::Generate(command)) => token_generate::run(command, process),
        Command::Token(TokenCommand::Validate(command)) => token_validate::run(command, process),
        Command::Config(ConfigCommand::Show(command)) => config_show::run(command, process),
        Command::Config(ConfigCommand::Check(command)) => config_check::run(command, process),
        Command::Openapi(command) => openapi::run(command, process),
    }
}

fn refuse(message: &str, process: &mut Process<'_>) -> ExitStatus {
    let _ = write!(process.stderr, "{message}");
    ExitStatus::Usage
}
