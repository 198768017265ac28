//! What a token says.

use serde::{Deserialize, Serialize};

use crate::domain::Scope;

/// Who issues tokens.
pub(super) const ISSUER: &str = "osapi";
/// Whom they are for.
pub(super) const AUDIENCE: &str = "osapi";

/// The claims of a token (RFC 7519 §4), and its role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) sub: String,
    /// Seconds since 1970.
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    pub(super) role: Scope,
}
