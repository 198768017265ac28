//! Which program this is.

/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, with `-dirty` where the sources were changed after it; `unknown` where the build did
/// not know.
pub const REVISION: &str = env!("BUILT_REVISION");

/// Both, for people.
pub const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILT_REVISION"), ")");
