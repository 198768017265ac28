//! What the HTTP adapter is made with.

use std::net::SocketAddr;

/// What the HTTP adapter is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where the metrics page is; always in the document.
    pub metrics_path: String,
    /// The listener of the metrics page, when it is not that of the API.
    pub metrics_listen: Option<SocketAddr>,
    /// Largest body of a request, in bytes.
    pub body_limit: usize,
    /// Requests that may wait for jobs at the same time.
    pub waits: usize,
    /// Of them, those of one subject.
    pub waits_per_subject: usize,
    /// Browser origins that may call the API.
    pub allow_origins: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            metrics_path: "/metrics".to_owned(),
            metrics_listen: None,
            body_limit: 1 << 20,
            waits: 4096,
            waits_per_subject: 256,
            allow_origins: Vec::new(),
        }
    }
}
