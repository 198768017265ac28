//! Why a NATS queue cannot be used, in one line that says what to do.

use std::{io, path::PathBuf};

/// A NATS queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A name that cannot begin subjects.
    #[error("the NATS prefix {prefix:?} must be 1 to 32 letters, digits, '-' or '_'")]
    Prefix {
        /// What was given.
        prefix: String,
    },
    /// Nobody answers.
    #[error("no NATS server can be reached at {servers}: start one, or correct the address ({detail})")]
    Unreachable {
        /// The addresses.
        servers: String,
        /// What was tried.
        detail: String,
    },
    /// The server knows no such user.
    #[error("the NATS server at {servers} refuses the credentials: check user and password, or the credentials file")]
    Refused {
        /// The addresses.
        servers: String,
    },
    /// The server wants to know who asks.
    #[error(
        "the NATS server at {servers} asks for credentials, and none are configured: set `job.queue.nats.user` and its \
         password, or `job.queue.nats.credentials_file`"
    )]
    NoCredentials {
        /// The addresses.
        servers: String,
    },
    /// The server or its certificate is not trusted, or does not trust ours.
    #[error("no secure connection to the NATS server at {servers}: check the certificates ({detail})")]
    Tls {
        /// The addresses.
        servers: String,
        /// What went wrong.
        detail: String,
    },
    /// A file for the connection cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server cannot do what is needed.
    #[error("the NATS server has version {found}, at least 2.10 is needed: upgrade it")]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The server, or the account, stores nothing.
    #[error("JetStream is off {place}: enable it (`jetstream {{}}` in the server's configuration)")]
    NoJetStream {
        /// The server or the account.
        place: &'static str,
    },
    /// The user may not do what is needed.
    #[error("{denied}")]
    Permission {
        /// What the server said, and where the permissions are listed.
        denied: String,
    },
    /// The server refuses a stream or consumer.
    #[error("the NATS server refuses the stream {stream}: {detail}")]
    Stream {
        /// Its name.
        stream: String,
        /// What the server said.
        detail: String,
    },
    /// The servers cannot keep as many copies as are configured.
    #[error(
        "the NATS servers cannot keep {copies} copies of the stream {stream}: start so many servers of one cluster, or \
         set `job.queue.nats.replicas` to what there is ({detail})"
    )]
    Copies {
        /// The stream.
        stream: String,
        /// What is configured.
        copies: usize,
        /// What the server said.
        detail: String,
    },
    /// The read model cannot be kept.
    #[error("cannot use {} for the read model: {detail}", .path.display())]
    Model {
        /// The directory.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}
