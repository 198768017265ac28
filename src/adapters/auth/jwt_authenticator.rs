//! Verifies tokens.

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
    /// Verifies with this key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { key: DecodingKey::from_secret(key), validation: validation() }
    }
}

impl Authenticator for JwtAuthenticator {
    fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        let claims = verified(&self.key, &self.validation, token)?;
        Ok(Caller { subject: claims.sub, scope: claims.role })
    }
}
