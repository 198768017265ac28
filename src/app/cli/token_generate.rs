//! `osapi token generate`: a token for a caller of the API.

use std::time::Duration;

use clap::Args;

use super::{Process, data_flags::DataFlags, ending::CommandError, service_key::key_of_the_service};
use crate::{
    adapters::{auth::issue, clock::SystemClock},
    app::config::Overrides,
    domain::Scope,
    ports::driven::Clock,
};

/// Longest life of a token: ten years.
const LONGEST: Duration = Duration::from_hours(3650 * 24);
/// Longest subject, in characters: it is stored with every job.
const LONGEST_SUBJECT: usize = 128;

/// Print a token, and nothing else, on standard output
#[derive(Debug, Args)]
pub(super) struct TokenGenerate {
    #[command(flatten)]
    data: DataFlags,
    /// What it allows: read, write (with read) or admin (with both)
    #[arg(long, value_parser = role)]
    role: Scope,
    /// Whose it is; shown with the jobs that it creates
    #[arg(long, default_value = "operator", value_parser = subject)]
    subject: String,
    /// How long it is valid, such as 15m, 12h or 30d
    #[arg(long, default_value = "30d", value_name = "DURATION", value_parser = lifetime)]
    expires_in: Duration,
}

fn role(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| "expected read, write or admin".to_owned())
}

fn subject(text: &str) -> Result<String, String> {
    let fits = (1..=LONGEST_SUBJECT).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("expected 1 to {LONGEST_SUBJECT} printable characters")) }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).ok();
    let fitting = parsed.filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time));
    fitting.ok_or_else(|| "expected a duration from 1s to 3650d, such as 15m, 12h or 30d".to_owned())
}

pub(super) fn run(command: &TokenGenerate, process: &mut Process<'_>) -> Result<(), CommandError> {
    let loaded = command.data.load(process, Overrides::default())?;
    loaded.check_signing_key()?;
    let key = key_of_the_service(&loaded)?;
    let token = issue(&key, &command.subject, command.role, SystemClock.now(), command.expires_in);
    writeln!(process.stdout, "{}", token.map_err(CommandError::failed)?)?;
    Ok(())
}
