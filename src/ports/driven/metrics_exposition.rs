//! The text that Prometheus reads.

use crate::domain::{QueueStats, Worker};

/// What the store and the registry say at the moment of a scrape. A part that could not be had is absent, and so are
/// its series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetSnapshot {
    /// Whether the queue answered.
    pub queue_connected: bool,
    /// The figures of the queue.
    pub queue: Option<QueueStats>,
    /// The connected workers.
    pub workers: Option<Vec<Worker>>,
    /// Components and whether they are up, as readiness says.
    pub components: Vec<(&'static str, bool)>,
}

/// The page cannot be made; the reason is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to collect metrics: {0}")]
pub struct ExpositionError(pub String);

/// What a scrape was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScrapeEnd {
    /// A page.
    Served,
    /// The reason why no page could be made.
    Failed,
    /// That the page was not ready in time.
    TimedOut,
}

impl ScrapeEnd {
    /// Every end.
    pub const ALL: [Self; 3] = [Self::Served, Self::Failed, Self::TimedOut];

    /// The metric label: the status code of the answer.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Served => "200",
            Self::Failed => "500",
            Self::TimedOut => "503",
        }
    }
}

/// Renders all metrics of the process, and hears what becomes of the scrapes that asked for them.
#[cfg_attr(test, mockall::automock)]
pub trait MetricsExposition: Send + Sync {
    /// The page in the Prometheus text format 0.0.4, with the series of `snapshot` beside those of the process.
    ///
    /// Blocking work of milliseconds: never called on an async worker thread. A page is complete or an error; it is
    /// never empty.
    fn render(&self, snapshot: FleetSnapshot) -> Result<String, ExpositionError>;

    /// A scrape arrived.
    fn scrape_started(&self);

    /// A scrape that arrived is over, answered or not.
    fn scrape_stopped(&self);

    /// A scrape was answered.
    fn scrape_answered(&self, end: ScrapeEnd);
}
