//! Who asks. What a token proves, and nothing of how it was proven.

use super::Scope;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's subject. Kept with the jobs it creates; idempotency keys are private to it.
    pub subject: String,
    /// The largest scope the caller holds.
    pub scope: Scope,
}
