//! What happens to everybody at the same time is said once, not by everybody.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Between two warnings of one kind. What happens meanwhile is in the log at the level `debug`, and in the metrics.
const PAUSE: Duration = Duration::from_mins(1);

/// Remembers when something was said last.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether it is time to say it again. Then it counts as said.
    pub(super) fn is_time(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| last.elapsed() >= PAUSE);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_time_at_first_and_a_minute_after_the_last_time() {
        let seldom = Seldom::default();
        assert!(seldom.is_time());
        assert!(!seldom.is_time());
        tokio::time::advance(PAUSE).await;
        assert!(seldom.is_time());
        assert!(!seldom.is_time());
    }
}
