//! Configuration: the keys, their defaults, where values come from and what is said about wrong ones.
//!
//! `default.yaml` is the lowest layer, the list of keys and their documentation in one. Above it come one YAML file,
//! the environment and flags. Every layer is read as text that keeps its origin, and each key has one parser for all
//! of them, so a value means the same wherever it is written and an error can say where it was.
//!
//! Each part of the program has its own settings struct here. What the parts do with them does not belong here.

mod commands_settings;
mod config_file;
mod default_limits_settings;
mod effective;
mod environment;
mod error;
mod fleet_rules;
mod layer;
mod load;
mod log_settings;
mod metrics_settings;
mod nats_settings;
mod origin;
mod queue_settings;
mod retention_settings;
mod scalar;
mod schema;
mod security_settings;
mod server_settings;
mod settings;
mod worker_settings;
mod yaml;

#[cfg(test)]
mod tests;

pub use commands_settings::CommandsSettings;
pub use default_limits_settings::DefaultLimitsSettings;
pub use environment::{SECRETS_ON_STDIN, secret_variables};
pub use error::ConfigError;
pub use layer::Overrides;
pub use load::Loaded;
pub use log_settings::{LogFormat, LogLevel, LogSettings};
pub use metrics_settings::MetricsSettings;
pub use nats_settings::{NatsSettings, NatsTlsSettings, Password};
pub use origin::Origin;
pub use queue_settings::{QueueBackend, QueueSettings};
pub use retention_settings::RetentionSettings;
pub use schema::DEFAULTS;
pub use security_settings::{CorsSettings, SecuritySettings, SigningKey};
pub use server_settings::{LimitsSettings, ServerSettings};
pub use settings::{ApiSettings, JobSettings, Settings, TelemetrySettings};
pub use worker_settings::WorkerSettings;
