//! Who waits for the end of which job.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::domain::JobId;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_job: Mutex<HashMap<JobId, Vec<oneshot::Sender<()>>>>,
}

impl Waiters {
    fn by_job(&self) -> MutexGuard<'_, HashMap<JobId, Vec<oneshot::Sender<()>>>> {
        // Every change below is complete in itself.
        self.by_job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the job ends. Register first, look second: then no end is missed.
    pub(super) fn register(&self, id: JobId) -> oneshot::Receiver<()> {
        let (ended, end) = oneshot::channel();
        let mut by_job = self.by_job();
        let waiters = by_job.entry(id).or_default();
        waiters.retain(|waiter| !waiter.is_closed());
        waiters.push(ended);
        end
    }

    /// Forgets those of this job who have stopped waiting.
    pub(super) fn forget_gone(&self, id: JobId) {
        let mut by_job = self.by_job();
        if let Some(waiters) = by_job.get_mut(&id) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                by_job.remove(&id);
            }
        }
    }

    /// Wakes those who wait for this job.
    pub(super) fn wake(&self, id: JobId) {
        let waiters = self.by_job().remove(&id).unwrap_or_default();
        for waiter in waiters {
            // Whoever stopped waiting need not know.
            let _ = waiter.send(());
        }
    }
}
