//! Where a started process can be reached.

use std::net::SocketAddr;

/// Where a started process can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The metrics page: its listener, which may be the API's, and its path. None when metrics are off.
    pub metrics: Option<(SocketAddr, String)>,
}

impl Addresses {
    /// The URL of the metrics page.
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics.as_ref().map(|(address, path)| format!("http://{address}{path}"))
    }
}
