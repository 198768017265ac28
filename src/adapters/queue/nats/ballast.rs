//! Room that is kept for removals. A server without room takes no record, not even the one that gives room again.

use std::sync::atomic::{AtomicBool, Ordering};

use super::link::{Link, NotWritten};
use crate::ports::driven::QueueError;

/// As much as hundreds of removals need, each of which gives back more than it takes.
const SIZE: usize = 64 * 1024;

/// A record that means nothing but takes room, until a removal needs it.
pub(super) struct Ballast {
    /// Whether it may not be there.
    missing: AtomicBool,
}

impl Ballast {
    pub(super) const fn new() -> Self {
        Self { missing: AtomicBool::new(true) }
    }

    /// Gives its room away.
    pub(super) async fn release(&self, link: &Link) -> Result<(), QueueError> {
        self.missing.store(true, Ordering::SeqCst);
        link.purge(link.names.ballast()).await
    }

    /// Takes room again, as soon as there is some.
    pub(super) async fn restore(&self, link: &Link) {
        if !self.missing.load(Ordering::SeqCst) {
            return;
        }
        match link.write(&link.names.ballast(), vec![0; SIZE], Some(0)).await {
            Ok(_) | Err(NotWritten::Conflict) => self.missing.store(false, Ordering::SeqCst),
            Err(error) => tracing::debug!(error = %error.into_error(), "no room is kept for removals yet"),
        }
    }
}
