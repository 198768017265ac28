//! A service with a store that vanishes, and how much is done with it.

use tempfile::TempDir;

use crate::{
    client::Clients,
    server::{PROGRAM, Server, Settings},
};

/// How long a benchmark may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Full,
    /// A look, not a measurement.
    Quick,
}

impl Effort {
    /// How many requests are made of so many.
    pub(crate) fn count(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full / 10,
        }
    }

    /// How many rounds are made of so many.
    pub(crate) fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => full.min(3),
        }
    }
}

/// A service and its clients.
pub(crate) struct Scene {
    // Dropped in this order: the service ends before its directory does.
    pub(crate) server: Server,
    pub(crate) clients: Clients,
    _directory: TempDir,
}

impl Scene {
    /// On an empty store.
    pub(crate) fn new(settings: Settings<'_>) -> Self {
        Self::of(PROGRAM, settings)
    }

    /// Of another program, on an empty store.
    pub(crate) fn of(program: &str, settings: Settings<'_>) -> Self {
        Self::on(tempfile::tempdir().expect("a temporary directory"), program, settings)
    }

    /// On the store in this directory.
    pub(crate) fn on(directory: TempDir, program: &str, settings: Settings<'_>) -> Self {
        let clients = Clients::new();
        let server = Server::start_as(&[program], &clients, directory.path(), settings);
        Self { server, clients, _directory: directory }
    }
}
