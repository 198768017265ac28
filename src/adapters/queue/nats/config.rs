//! What a NATS queue is made with.

use std::{fmt, path::PathBuf, time::Duration};

use crate::adapters::queue::Retention;

/// What a NATS queue is made with.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// How to reach the servers.
    pub server: NatsServer,
    /// Where the read model is kept, for a process that serves the API; none for one that only works.
    pub model_dir: Option<PathBuf>,
    /// Executions that may wait.
    pub max_depth: u64,
    /// Length of a lease.
    pub lease: Duration,
    /// How long terminal jobs are kept.
    pub retention: Retention,
    /// How long a removal stays visible to API processes that lag. One that was away for longer makes its copy anew.
    pub removals_visible: Duration,
}

/// How to reach the servers.
#[derive(Clone)]
pub struct NatsServer {
    /// Servers of one cluster, as `nats://host:port` or `tls://host:port`.
    pub urls: Vec<String>,
    /// User and password.
    pub user: Option<(String, String)>,
    /// A credentials file with a user's JWT and seed.
    pub credentials_file: Option<PathBuf>,
    /// Certificates.
    pub tls: NatsTls,
    /// Copies that a cluster keeps of everything: 1, 3 or 5.
    pub replicas: usize,
    /// Begins the name of every stream and subject, so that two installations can share servers.
    pub prefix: String,
}

/// Certificates for the connection. Without any of them, `tls://` trusts what the system trusts.
#[derive(Debug, Clone, Default)]
pub struct NatsTls {
    /// Authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// The certificate to show, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl NatsServer {
    /// Whether the connection says whose it is.
    pub(super) fn shows_who_asks(&self) -> bool {
        self.user.is_some() || self.credentials_file.is_some() || self.tls.certificate.is_some()
    }

    /// The server at this address, with nothing else set.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            user: None,
            credentials_file: None,
            tls: NatsTls::default(),
            replicas: 1,
            prefix: "osapi".to_owned(),
        }
    }
}

impl fmt::Debug for NatsServer {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsServer")
            .field("user", &self.user.as_ref().map(|(user, _)| user))
            .field("credentials_file", &self.credentials_file)
            .field("replicas", &self.replicas)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
