//! Who sent a request.

use crate::domain::Caller;

/// Why a token proves nothing. Each variant is a value of the metric label `reason`; none carries the client's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthError {
    /// No `Authorization: Bearer` header.
    #[error("no bearer token")]
    Missing,
    /// Not a token, or one with other claims or another algorithm.
    #[error("the token is malformed")]
    Malformed,
    /// Signed by somebody else.
    #[error("the token's signature is wrong")]
    Signature,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Issued by, or for, another service.
    #[error("the token's issuer or audience is wrong")]
    WrongIssuer,
    /// Valid, but its role is not enough for the route or the operation.
    #[error("the token's role is not enough")]
    Scope,
}

impl AuthError {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Malformed,
        Self::Signature,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongIssuer,
        Self::Scope,
    ];

    /// The metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongIssuer => "wrong_issuer",
            Self::Scope => "scope",
        }
    }
}

/// Verifies tokens. Fast and without I/O: it runs on the request path.
#[cfg_attr(test, mockall::automock)]
pub trait Authenticator: Send + Sync {
    /// The caller that `token` proves.
    fn authenticate(&self, token: &str) -> Result<Caller, AuthError>;
}
