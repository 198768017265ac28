//! The run of a job on one host, what came out of it and why it failed.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ExecutionStatus, Hostname, Output};

/// Why an execution did not complete. The closed set that clients may match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The operation reported an error.
    Operation,
    /// The command ended with an exit code other than 0, or by a signal.
    ExitStatus,
    /// The command is not on the worker's list.
    NotAllowed,
    /// The operation panicked.
    Panic,
    /// It ran past its timeout.
    Timeout,
    /// Its worker vanished.
    WorkerLost,
    /// Its worker stopped and killed it.
    Interrupted,
    /// The deadline passed before it could run.
    Deadline,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Operation,
        Self::ExitStatus,
        Self::NotAllowed,
        Self::Panic,
        Self::Timeout,
        Self::WorkerLost,
        Self::Interrupted,
        Self::Deadline,
    ];

    /// The one spelling: on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::ExitStatus => "exit_status",
            Self::NotAllowed => "not_allowed",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::WorkerLost => "worker_lost",
            Self::Interrupted => "interrupted",
            Self::Deadline => "deadline",
        }
    }

    /// The kind with this spelling.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kind under which a worker's report is recorded.
    #[must_use]
    pub const fn of_failure(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Operation => Self::Operation,
            FailureKind::ExitStatus => Self::ExitStatus,
            FailureKind::NotAllowed => Self::NotAllowed,
            FailureKind::Panic => Self::Panic,
            FailureKind::Timeout => Self::Timeout,
        }
    }

    /// What is recorded when nothing more is known.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Operation => "the operation failed",
            Self::ExitStatus => "the command did not exit with 0",
            Self::NotAllowed => "the command is not on the worker's list",
            Self::Panic => "the operation panicked",
            Self::Timeout => "the operation ran past its timeout",
            Self::WorkerLost => "the worker vanished while running it",
            Self::Interrupted => "the worker stopped while running it",
            Self::Deadline => "the deadline passed before it could run",
        }
    }
}

/// The ways in which a run fails by itself, as a worker reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The operation reported an error.
    Operation,
    /// The command ended with an exit code other than 0, or by a signal.
    ExitStatus,
    /// The command is not on the worker's list.
    NotAllowed,
    /// The operation panicked.
    Panic,
    /// It ran past its timeout.
    Timeout,
}

/// A run that did not return: why, and what it had produced until then.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// How it failed.
    pub kind: FailureKind,
    /// What went wrong, for the operator.
    pub message: String,
    /// What is worth keeping of an unfinished run, such as the output of a killed command.
    pub partial: Option<Box<Output>>,
}

impl Failure {
    /// The operation reports an error and leaves no output.
    #[must_use]
    pub fn operation(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Operation, message: message.into(), partial: None }
    }
}

/// The error recorded with an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionError {
    /// What clients match on.
    pub kind: ErrorKind,
    /// What operators read.
    pub message: String,
}

/// The recorded result of an execution: the JSON that the worker produced from a typed [`Output`].
///
/// It is kept as text and not parsed again: a record says what the worker said then, whatever the version of the
/// process that reads it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResultDocument(Box<RawValue>);

impl ResultDocument {
    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Takes JSON text from a record.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn from_json(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }
}

impl TryFrom<&Output> for ResultDocument {
    type Error = serde_json::Error;

    fn try_from(output: &Output) -> Result<Self, Self::Error> {
        serde_json::value::to_raw_value(output).map(Self)
    }
}

impl PartialEq for ResultDocument {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

/// The run of a job on one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The host it is meant for, or the one that claimed it; none while an `_any` execution waits.
    pub worker: Option<Hostname>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// How often it was started, refunded attempts not counted.
    pub attempt: u32,
    /// Start of the latest attempt.
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    pub finished_at: Option<Timestamp>,
    /// How long its latest attempt took until its end, on a clock that no one can set.
    pub duration: Option<Duration>,
    /// What the operation returned, or what is left of an unfinished one.
    pub result: Option<ResultDocument>,
    /// Why it did not complete.
    pub error: Option<ExecutionError>,
}

impl Execution {
    /// How long its latest attempt took, in seconds.
    #[must_use]
    pub fn duration_seconds(&self) -> Option<f64> {
        self.duration.map(|duration| duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_kinds_read_back_and_agree_with_serde() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_word(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).expect("serializes"), format!("\"{}\"", kind.as_str()));
        }
    }
}
