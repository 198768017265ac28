//! The metrics page, as Prometheus reads it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

/// A page in the Prometheus text format 0.0.4, shared by the scrapes that asked for it at the same time.
pub type Page = Arc<str>;

/// The page cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScrapeError {
    /// It cannot be made; the reason is for the operator.
    #[error("{0}")]
    Failed(String),
    /// It was not ready in time.
    #[error("the page was not ready in time")]
    TimedOut,
}

/// The metrics page.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Scrape: Send + Sync {
    /// The page, made no earlier than the call's predecessor finished; at most two are made at a time, and concurrent
    /// callers share one.
    async fn page(&self, deadline: Duration) -> Result<Page, ScrapeError>;

    /// Whether the latest page could be made; `true` while nobody has asked for one.
    fn works(&self) -> bool;
}
