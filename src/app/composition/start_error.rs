//! Why a process cannot start, in one line that says what to change.

use std::{io, net::SocketAddr};

use super::data_dir::DataDirError;
use crate::{
    adapters::{
        auth::SigningKeyError,
        metrics::SetupError,
        queue::{embedded::OpenError, nats::ConnectError},
    },
    ports::driven::QueueError,
};

/// A process cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be opened.
    #[error("cannot listen on {address} (`{key}`): {source}")]
    Listen {
        /// The key that names the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// There is no signing key.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The embedded queue cannot be opened.
    #[error(transparent)]
    Queue(#[from] OpenError),
    /// The NATS queue cannot be used.
    #[error(transparent)]
    Nats(#[from] ConnectError),
    /// The instruments cannot be built.
    #[error(transparent)]
    Metrics(#[from] SetupError),
    /// The worker is not let into the fleet.
    #[error("the worker cannot join: {0}")]
    Join(#[from] QueueError),
    /// The operating system refuses something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It was asked to stop before it was ready.
    #[error("stopped before it was ready")]
    Stopped,
    /// A part of the process ended by a bug.
    #[error("a part of the server ended unexpectedly, see the log")]
    Panicked,
}
