//! Verifies tokens.

use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};

use super::token::{validation, verified};
use crate::{
    domain::Caller,
    ports::driven::{AuthError, Authenticator},
};

/// Verifies tokens that were signed with one key.
pub struct JwtAuthenticator {
    key: DecodingKey,
    validation: Validation,
}

impl JwtAuthenticator {
    /// Verifies with this key. The clock of the issuer may be ahead by `clock_skew`.
    #[must_use]
    pub fn new(key: &[u8], clock_skew: Duration) -> Self {
        Self { key: DecodingKey::from_secret(key), validation: validation(clock_skew) }
    }
}

impl Authenticator for JwtAuthenticator {
    fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        let claims = verified(&self.key, &self.validation, token)?;
        Ok(Caller { subject: claims.sub, scope: claims.role })
    }
}
