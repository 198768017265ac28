//! `osapi token validate`: whether a token is valid here and now, and what is in it.

use std::io::Read;

use clap::Args;
use serde_json::json;

use super::{
    Process,
    data_flags::DataFlags,
    ending::CommandError,
    format::{ReportFormat, print_json},
    service_key::key_of_the_service,
};
use crate::{adapters::auth::describe, app::config::Overrides};

/// More than any token that this program makes.
const LONGEST: u64 = 64 * 1024;

/// Say whether a token is valid here and now, and what is in it
#[derive(Debug, Args)]
pub(super) struct TokenValidate {
    #[command(flatten)]
    data: DataFlags,
    /// The token; read from standard input when it is left out, which keeps it out of the list of processes
    token: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
}

pub(super) fn run(command: &TokenValidate, process: &mut Process<'_>) -> Result<(), CommandError> {
    let loaded = command.data.load(process, Overrides::default())?;
    let key = key_of_the_service(&loaded)?;
    let token = if let Some(token) = &command.token {
        token.clone()
    } else {
        let mut token = String::new();
        process.stdin.take(LONGEST).read_to_string(&mut token)?;
        token
    };
    let described = describe(&key, token.trim(), loaded.settings.api.server.security.clock_skew);
    match (&described, command.output) {
        (Ok(info), ReportFormat::Text) => writeln!(
            process.stdout,
            "valid: subject {}, role {}, until {}",
            info.subject,
            info.scope.as_str(),
            info.expires_at
        )?,
        (Ok(info), ReportFormat::Json) => print_json(
            process,
            &json!({
                "valid": true,
                "subject": info.subject,
                "role": info.scope,
                "issued_at": info.issued_at,
                "expires_at": info.expires_at,
            }),
        )?,
        (Err(error), ReportFormat::Json) => {
            print_json(process, &json!({ "valid": false, "error": error.to_string() }))?;
        }
        (Err(_), ReportFormat::Text) => {}
    }
    described.map(drop).map_err(CommandError::failed)
}
