//! How far a copy of a stream has come, for readers who must see what they wrote, and who must not see a part.

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
    state: watch::Sender<State>,
    written: AtomicU64,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Everything up to here was applied; none until the copy is complete.
    applied: Option<u64>,
    /// Why it does not follow the stream now.
    trouble: Option<Trouble>,
}

#[derive(Debug, Clone)]
enum Trouble {
    /// It is too far behind.
    Behind,
    /// It cannot be changed.
    Failed(String),
}

impl State {
    fn shows(&self, sequence: u64) -> bool {
        self.trouble.is_none() && self.applied.is_some_and(|applied| applied >= sequence)
    }

    fn error(&self) -> QueueError {
        match &self.trouble {
            Some(Trouble::Failed(reason)) => {
                unavailable(&format!("this process's copy of the jobs cannot be changed: {reason}"))
            }
            _ => unavailable("this process's copy of the jobs is catching up"),
        }
    }
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { state: watch::Sender::new(State::default()), written: AtomicU64::new(0) }
    }

    /// This process wrote up to here, or knows that there is something up to here.
    pub(super) fn wrote(&self, sequence: u64) {
        self.written.fetch_max(sequence, Ordering::SeqCst);
    }

    /// The copy holds everything up to here, and there is no more.
    pub(super) fn reached(&self, sequence: u64) {
        self.state.send_replace(State { applied: Some(sequence), trouble: None });
    }

    /// The copy holds everything up to here; there is more, and it is too far behind or not.
    pub(super) fn moved(&self, sequence: u64, behind: bool) {
        self.state.send_modify(|state| {
            // A copy that is not complete stays so until there is no more.
            if state.applied.is_some() {
                *state = State { applied: Some(sequence), trouble: behind.then_some(Trouble::Behind) };
            }
        });
    }

    /// The copy begins anew, of a stream that may be another one: nothing that was written before counts.
    pub(super) fn begins_anew(&self) {
        self.written.store(0, Ordering::SeqCst);
        self.state.send_replace(State::default());
    }

    /// The copy cannot be changed.
    pub(super) fn failed(&self, reason: String) {
        self.state.send_modify(|state| state.trouble = Some(Trouble::Failed(reason)));
    }

    /// Whether the copy is complete, wherever it stands.
    pub(super) fn is_complete(&self) -> bool {
        self.state.borrow().applied.is_some()
    }

    /// Whether the copy is complete and follows the stream.
    pub(super) fn is_ready(&self) -> bool {
        self.state.borrow().shows(0)
    }

    /// Waits until the copy is complete, no longer than a request may take.
    pub(super) async fn ready(&self) -> Result<(), QueueError> {
        self.shows(0, ANSWER).await
    }

    /// Waits until the copy shows everything that this process has written so far.
    pub(super) async fn caught_up(&self) -> Result<(), QueueError> {
        self.shows(self.written.load(Ordering::SeqCst), PATIENCE).await
    }

    async fn shows(&self, sequence: u64, patience: Duration) -> Result<(), QueueError> {
        let mut state = self.state.subscribe();
        let settled = |state: &State| state.shows(sequence) || matches!(state.trouble, Some(Trouble::Failed(_)));
        match timeout(patience, state.wait_for(settled)).await {
            Ok(Ok(state)) if state.shows(sequence) => Ok(()),
            Ok(Ok(state)) => Err(state.error()),
            _ => Err(self.state.borrow().error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_copy_is_shown_when_it_is_complete_and_not_before() {
        let progress = Progress::new();
        assert!(progress.ready().await.is_err());
        progress.moved(7, false);
        assert!(!progress.is_ready(), "there is more to come");
        progress.reached(9);
        assert!(progress.is_ready());
        progress.wrote(12);
        assert!(progress.caught_up().await.is_err());
        progress.moved(12, false);
        assert!(progress.caught_up().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_falls_behind_or_fails_is_not_shown_until_it_moves_again() {
        let progress = Progress::new();
        progress.reached(9);
        progress.moved(10, true);
        assert!(progress.caught_up().await.is_err());
        progress.moved(20, false);
        assert!(progress.caught_up().await.is_ok());
        progress.failed("disk full".to_owned());
        let begun = tokio::time::Instant::now();
        let refused = progress.caught_up().await.expect_err("it fails");
        assert!(refused.to_string().contains("disk full") && begun.elapsed().is_zero(), "{refused}");
        progress.reached(21);
        assert!(progress.caught_up().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_of_another_stream_waits_for_nothing_that_was_written_to_the_one_before() {
        let progress = Progress::new();
        progress.reached(9);
        progress.wrote(100);
        progress.begins_anew();
        assert!(progress.caught_up().await.is_err());
        progress.reached(3);
        assert!(progress.caught_up().await.is_ok());
    }
}
