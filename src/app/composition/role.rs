//! Which parts of the service a process is.

/// Which parts of the service a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The API and one worker.
    Whole,
    /// The API.
    Api,
    /// One worker.
    Worker,
}

impl Role {
    /// Whether it serves the API.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Whole | Self::Api)
    }

    /// Whether it runs jobs.
    #[must_use]
    pub const fn works(self) -> bool {
        matches!(self, Self::Whole | Self::Worker)
    }
}
