//! What a caller may do. Scopes are ordered: a larger one includes the smaller ones.

use std::{fmt, str::FromStr};

/// A permission level, carried by the `role` claim of a token and required by every protected route.
///
/// `Read < Write < Admin`, and each includes the ones below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at jobs, workers and health.
    Read,
    /// Also submit, retry, cancel and delete jobs, drain workers.
    Write,
    /// Also run the operations that reserve themselves for administrators.
    Admin,
}

impl Scope {
    /// Every scope, smallest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// Whether somebody who holds this scope may do what needs `required`.
    #[must_use]
    pub fn includes(self, required: Self) -> bool {
        self >= required
    }

    /// The word used in tokens, in the API document and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not one of the three scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role, expected one of read, write, admin")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or(UnknownScope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_itself_and_the_smaller_ones_only() {
        let included = |held: Scope| Scope::ALL.map(|required| held.includes(required));
        assert_eq!(included(Scope::Read), [true, false, false]);
        assert_eq!(included(Scope::Write), [true, true, false]);
        assert_eq!(included(Scope::Admin), [true, true, true]);
    }

    #[test]
    fn every_scope_reads_back_from_its_word() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert_eq!("Admin".parse::<Scope>(), Err(UnknownScope));
    }
}
