//! How a command ends: what went wrong, and the exit code that says so.

use std::{error::Error, io, process::ExitCode};

use crate::app::config::ConfigError;

/// The exit codes that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: done.
    Success,
    /// 1: it failed.
    Failed,
    /// 64: bad usage or configuration (`EX_USAGE` of `sysexits.h`); nothing was tried.
    Usage,
}

impl ExitStatus {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 64,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The answer could not be printed.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
    /// It failed, and the log says why.
    #[error("see the log")]
    Logged,
    /// It was tried and failed.
    #[error("{0}")]
    Failed(Box<dyn Error + Send + Sync>),
}

impl CommandError {
    /// It was tried and failed.
    pub(super) fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(cause.into())
    }

    /// The exit status that says so. A reader that has seen enough, such as `head`, is no failure.
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::Config(_) => ExitStatus::Usage,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::Success,
            Self::Output(_) | Self::Logged | Self::Failed(_) => ExitStatus::Failed,
        }
    }
}
