//! How far a copy of a stream has come, for readers who must see what they wrote.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use super::link::{ANSWER, unavailable};
use crate::ports::driven::QueueError;

/// How long a reader waits for the copy to catch up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sequences that were applied, and the last one that this process wrote.
pub(super) struct Progress {
    applied: watch::Sender<Option<u64>>,
    written: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { applied: watch::Sender::new(None), written: AtomicU64::new(0) }
    }

    /// This process wrote up to here.
    pub(super) fn wrote(&self, sequence: u64) {
        self.written.fetch_max(sequence, Ordering::SeqCst);
    }

    /// The copy holds everything up to here. Said first when it has caught up.
    pub(super) fn reached(&self, sequence: u64) {
        self.applied.send_replace(Some(sequence));
    }

    /// Whether the copy has caught up once.
    pub(super) fn is_ready(&self) -> bool {
        self.applied.borrow().is_some()
    }

    /// Waits until the copy has caught up once, no longer than a request may take.
    pub(super) async fn ready(&self) -> Result<(), QueueError> {
        let mut applied = self.applied.subscribe();
        let ready = timeout(ANSWER, applied.wait_for(Option::is_some)).await;
        ready.map_or_else(|_| Err(behind()), |_| Ok(()))
    }

    /// Waits until the copy shows everything that this process has written so far.
    pub(super) async fn caught_up(&self) -> Result<(), QueueError> {
        let written = self.written.load(Ordering::SeqCst);
        let mut applied = self.applied.subscribe();
        let there = applied.wait_for(|applied| applied.is_some_and(|applied| applied >= written));
        match timeout(PATIENCE, there).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(behind()),
        }
    }
}

fn behind() -> QueueError {
    unavailable("this process's copy of the jobs is catching up")
}
