//! Where a started process can be reached.

use std::net::SocketAddr;

/// Where a started process can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The listener that every process has: the API's, or that of a process that only works.
    pub main: SocketAddr,
    /// The metrics page: its listener, which may be the main one, and its path. None when metrics are off.
    pub metrics: Option<(SocketAddr, String)>,
}

impl Addresses {
    /// Whether the metrics page has a listener of its own.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.metrics.as_ref().is_some_and(|(address, _)| *address != self.main)
    }

    /// The URL of the metrics page.
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics.as_ref().map(|(address, path)| format!("http://{address}{path}"))
    }
}
