//! A handle that is bound at its first use, because a bound series is on the page even before anything is recorded.

use std::sync::OnceLock;

/// Bound at first use; afterwards reading it is one atomic load.
#[derive(Debug)]
pub(super) struct Lazy<H>(OnceLock<H>);

impl<H> Lazy<H> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The handle, bound by `bind` if nobody did so before.
    pub(super) fn get(&self, bind: impl FnOnce() -> H) -> &H {
        self.0.get_or_init(bind)
    }
}
