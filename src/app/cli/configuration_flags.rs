//! The flags of every command that needs the configuration.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Process;
use crate::app::config::{ConfigError, Loaded, Overrides, Settings};

/// Which configuration a command works with.
#[derive(Debug, Args)]
pub(super) struct ConfigurationFlags {
    /// Configuration file; else that of `OSAPI_CONFIG`, ./osapi.yaml or /etc/osapi/osapi.yaml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigurationFlags {
    /// The file that was named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The configuration, with `overrides` from other flags over it.
    pub(super) fn load(&self, process: &Process<'_>, overrides: Overrides) -> Result<Loaded, ConfigError> {
        Settings::load(self.config.clone(), process.env.iter().cloned(), overrides)
    }
}
