//! Reports to the core: each change of this process once, by whoever first sees that it is stored.
//!
//! That is the acknowledgement, or the change itself when it comes back in the stream: an acknowledgement can be lost,
//! and the stream can be faster.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use uuid::Uuid;

use super::record::Mark;
use crate::ports::driving::{JobEvent, JobEvents};

/// Changes that were sent and are not known to be stored.
pub(super) struct Reports {
    session: Uuid,
    writes: AtomicU64,
    sent: Mutex<HashMap<u64, Vec<JobEvent>>>,
    events: Arc<dyn JobEvents>,
}

impl Reports {
    pub(super) fn new(session: Uuid, events: Arc<dyn JobEvents>) -> Self {
        Self { session, writes: AtomicU64::new(1), sent: Mutex::default(), events }
    }

    /// The mark of the next write.
    pub(super) fn mark(&self) -> Mark {
        Mark { session: self.session, write: self.writes.fetch_add(1, Ordering::Relaxed) }
    }

    /// These will have happened once the write with this mark is stored.
    pub(super) fn expect(&self, mark: Mark, events: Vec<JobEvent>) {
        if !events.is_empty() {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(mark.write, events);
        }
    }

    /// The write is stored.
    pub(super) fn stored(&self, mark: Mark) {
        if mark.session != self.session {
            return;
        }
        // Held while it is reported: whoever sees it stored at the same time must not go on before it is counted.
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(events) = sent.remove(&mark.write) {
            self.events.committed(&events);
        }
    }

    /// The write was refused.
    pub(super) fn refused(&self, mark: Mark) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).remove(&mark.write);
    }
}
