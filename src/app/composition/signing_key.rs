//! Which key signs tokens: the configured one, else that of the data directory.

use std::path::Path;

use crate::{adapters::auth::SigningKeyError, app::config::Settings};

/// The configured key, else what `find` finds in the data directory.
///
/// # Errors
/// Those of `find`.
pub fn signing_key(
    settings: &Settings,
    find: impl FnOnce(&Path) -> Result<Vec<u8>, SigningKeyError>,
) -> Result<Vec<u8>, SigningKeyError> {
    match &settings.api.server.security.signing_key {
        Some(key) => Ok(key.as_bytes().to_vec()),
        None => find(&settings.data_dir),
    }
}
