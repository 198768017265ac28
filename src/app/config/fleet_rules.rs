//! What a process of a fleet needs of its configuration, beside what every process needs.

use super::{ConfigError, Loaded, QueueBackend};

impl Loaded {
    /// What a process needs that is only a part of a service, started by `command`.
    ///
    /// # Errors
    /// With a queue that processes cannot share.
    pub fn check_fleet(&self, command: &str) -> Result<(), ConfigError> {
        match self.settings.job.queue.backend {
            QueueBackend::Nats => Ok(()),
            QueueBackend::Embedded => Err(ConfigError::Invalid {
                key: "job.queue.backend".to_owned(),
                value: Some("embedded".to_owned()),
                origin: self.origins.get("job.queue.backend").cloned(),
                expected: format!(
                    "expected nats: only one process can have the embedded queue, so `{command}` cannot share it; \
                     `osapi start` serves and works in one"
                ),
            }),
        }
    }

    /// What a process needs that verifies tokens.
    ///
    /// # Errors
    /// Without a signing key that it shares with the other API processes.
    pub fn check_signing_key(&self) -> Result<(), ConfigError> {
        let has_key = self.settings.api.server.security.signing_key.is_some();
        match self.settings.job.queue.backend {
            QueueBackend::Nats if !has_key => Err(ConfigError::Invalid {
                key: "api.server.security.signing_key".to_owned(),
                value: None,
                origin: None,
                expected: "expected a secret of at least 32 bytes, the same in every API process: with the backend \
                           nats none is generated"
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }
}
