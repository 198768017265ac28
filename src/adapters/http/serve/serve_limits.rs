//! What a listener allows.

use std::time::Duration;

/// What a listener allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeLimits {
    /// Connections at the same time. Beyond it, the connection that has been idle longest is closed for a new one.
    pub connections: usize,
    /// Time to send the head of a request, from its first byte; of the first request, from the start of the connection.
    pub head_time: Duration,
    /// Time between two requests of a connection.
    pub idle_time: Duration,
    /// Time for which an answer may make no progress because its client does not read.
    pub answer_time: Duration,
    /// A client that sends nothing more, but waits for its answer, is looked for again after this time.
    pub look_again: Duration,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// Time for running requests after the stop.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_time: Duration::from_secs(10),
            // Load balancers usually keep a connection for 60 s: they must be the ones that close it.
            idle_time: Duration::from_secs(75),
            answer_time: Duration::from_secs(30),
            look_again: Duration::from_secs(10),
            head_bytes: 16 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}
