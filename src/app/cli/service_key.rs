//! The key with which the service of a configuration signs tokens. It is the service that makes one, never a command: a
//! command with another configuration than the service would make a second key, and tokens that the service refuses.

use std::path::absolute;

use super::ending::CommandError;
use crate::{
    adapters::auth::{SigningKeyError, signing_key},
    app::{composition, config::Loaded},
};

/// The configured key, else the one that the service has made in its data directory.
pub(super) fn key_of_the_service(loaded: &Loaded) -> Result<Vec<u8>, CommandError> {
    composition::signing_key(&loaded.settings, signing_key::load).map_err(|error| match &error {
        SigningKeyError::Missing { path } => {
            let from = loaded.origins.get("data_dir").map(|origin| format!(" (`data_dir` from: {origin})"));
            let place = absolute(path).unwrap_or_else(|_| path.clone());
            let place = if place == *path { String::new() } else { format!(", which is {}", place.display()) };
            CommandError::failed(format!(
                "{error}{place}{}; a service makes one at its first start: name its directory with --data-dir, its file with \
                 --config, or set its OSAPI_ variables",
                from.unwrap_or_default()
            ))
        }
        _ => CommandError::failed(error),
    })
}
