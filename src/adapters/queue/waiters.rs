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

/// Somebody who waits for the end of a job, and is forgotten when it stops waiting.
pub(super) struct Waiting<'a> {
    id: JobId,
    waiters: &'a Waiters,
    end: Option<oneshot::Receiver<()>>,
}

impl<'a> Waiting<'a> {
    /// Waits from now on.
    pub(super) fn new(waiters: &'a Waiters, id: JobId) -> Self {
        Self { id, waiters, end: Some(waiters.register(id)) }
    }

    /// Returns when the job ends; fails when nobody is left to tell.
    pub(super) async fn wait(mut self) -> Result<(), oneshot::error::RecvError> {
        match &mut self.end {
            Some(end) => end.await,
            None => Ok(()),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.end = None;
        self.waiters.forget_gone(self.id);
    }
}
