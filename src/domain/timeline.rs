//! What happened to a job, in order, for the person who asks why.

use std::fmt;

use jiff::Timestamp;

use super::Hostname;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimelineEvent {
    /// The job was accepted.
    Created,
    /// A worker started an execution.
    Started,
    /// An execution went back to the queue.
    Requeued,
    /// Somebody asked to cancel the job.
    CancelRequested,
    /// An execution completed.
    Completed,
    /// An execution failed.
    Failed,
    /// An execution was cancelled.
    Cancelled,
    /// An execution expired.
    Expired,
    /// An execution was lost.
    Lost,
}

impl TimelineEvent {
    /// Every event.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Started,
        Self::Requeued,
        Self::CancelRequested,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Lost,
    ];

    /// The one spelling: on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Requeued => "requeued",
            Self::CancelRequested => "cancel_requested",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Lost => "lost",
        }
    }

    /// The event with this spelling.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }
}

impl fmt::Display for TimelineEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of a job's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: TimelineEvent,
    /// On which host, where one is concerned.
    pub worker: Option<Hostname>,
    /// Why, where there is more to say.
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_from_their_words() {
        for event in TimelineEvent::ALL {
            assert_eq!(TimelineEvent::from_word(event.as_str()), Some(event));
        }
    }
}
