//! `command.exec`: Run a program that the worker's configuration lists. No shell is involved.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Effect, Input, Spec};
use crate::domain::{BoundedNumber, Scope};

/// Program and arguments of one command.
pub const ARGV_ITEMS: std::ops::RangeInclusive<usize> = 1..=256;
/// Bytes of the program and its arguments together. With it, no argument is longer than the kernel takes.
pub const ARGV_BYTES: usize = 128 * 1024;

/// How long a command may run, in seconds: the range of a job's timeout.
pub type TimeoutSeconds = BoundedNumber<1, 3600>;

/// Run a program that the worker's configuration lists. No shell is involved.
#[derive(Debug, Clone, Copy)]
pub struct CommandExec;

impl Spec for CommandExec {
    const NAME: &'static str = "command.exec";
    const SUMMARY: &'static str = "Run a program that the worker's configuration lists. No shell is involved.";
    const EFFECT: Effect = Effect::AtMostOnce;
    const SCOPE: Scope = Scope::Admin;
    const NEEDS_COMMANDS: bool = true;
    type Input = CommandInput;
    type Output = CommandResult;
}

/// What to run, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandInput {
    /// The absolute path of the program, which begins with `/`, and its arguments: at most 128 KiB together.
    pub command: Argv,
    /// Longest run, in seconds; capped by `timeout_seconds` of the job where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<TimeoutSeconds>,
}

impl Input for CommandInput {
    fn timeout(&self) -> Option<Duration> {
        self.timeout_seconds.map(|seconds| Duration::from_secs(seconds.get().into()))
    }
}

/// The absolute path of a program, and its arguments as they are: nothing in them is expanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Argv(Vec<String>);

impl Argv {
    /// The path of the program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// What it is called with.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }
}

/// The items are no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArgv {
    /// Too few or too many items.
    #[error("expected a program and its arguments, {} to {} items", ARGV_ITEMS.start(), ARGV_ITEMS.end())]
    Items,
    /// Too many bytes.
    #[error("expected at most {ARGV_BYTES} bytes together")]
    Bytes,
    /// An argument of a program ends at its first NUL.
    #[error("expected no NUL characters")]
    Nul,
    /// A relative path would depend on a directory or a search path of the worker.
    #[error("expected the absolute path of a program first")]
    Relative,
}

impl TryFrom<Vec<String>> for Argv {
    type Error = InvalidArgv;

    fn try_from(items: Vec<String>) -> Result<Self, Self::Error> {
        let bytes: usize = items.iter().map(String::len).sum();
        if !ARGV_ITEMS.contains(&items.len()) {
            return Err(InvalidArgv::Items);
        }
        if bytes > ARGV_BYTES {
            return Err(InvalidArgv::Bytes);
        }
        if items.iter().any(|item| item.contains('\0')) {
            return Err(InvalidArgv::Nul);
        }
        if !items[0].starts_with('/') {
            return Err(InvalidArgv::Relative);
        }
        Ok(Self(items))
    }
}

impl From<Argv> for Vec<String> {
    fn from(argv: Argv) -> Self {
        argv.0
    }
}

impl JsonSchema for Argv {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Argv".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "minItems": ARGV_ITEMS.start(),
            "maxItems": ARGV_ITEMS.end(),
            "prefixItems": [{ "type": "string", "maxLength": ARGV_BYTES, "pattern": "^/[^\\u0000]*$" }],
            "items": { "type": "string", "maxLength": ARGV_BYTES, "pattern": "^[^\\u0000]*$" },
        })
    }
}

/// How a command ended and what it wrote. Of one that could not be ended, neither exit code nor signal is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandResult {
    /// What it exited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub exit_code: Option<i32>,
    /// The number of the signal that ended it, in place of an exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub signal: Option<i32>,
    /// What it wrote to its standard output: all of it, or the first and the last 64 KiB.
    pub stdout: String,
    /// How `stdout` is written.
    pub stdout_encoding: OutputEncoding,
    /// Whether something of `stdout` was left out.
    pub stdout_truncated: bool,
    /// What it wrote to its standard error: all of it, or the first and the last 64 KiB.
    pub stderr: String,
    /// How `stderr` is written.
    pub stderr_encoding: OutputEncoding,
    /// Whether something of `stderr` was left out.
    pub stderr_truncated: bool,
    /// From its start to its end.
    #[schemars(range(min = 0))]
    pub duration_seconds: f64,
}

/// How the output of a program is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputEncoding {
    /// The text itself.
    Utf8,
    /// The bytes in Base64 (RFC 4648 §4), because they are not UTF-8, or are full of control characters.
    Base64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Operation;

    fn read(data: &serde_json::Value) -> Result<Operation, String> {
        Operation::deserialize(super::super::OperationKind::CommandExec, data).map_err(|error| error.to_string())
    }

    fn argv(items: &[&str]) -> Result<Argv, InvalidArgv> {
        Argv::try_from(items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn items_arrive_as_they_were_sent() {
        let items = ["/bin/echo", "", "a b", "'\"", "$HOME", "*", "line\nbreak", "-n", "ä"];
        let command = argv(&items).expect("a command");
        assert_eq!((command.program(), command.arguments()), (items[0], &items.map(str::to_owned)[1..]));
        assert_eq!(serde_json::to_value(&command).expect("serializes"), json!(items));
    }

    #[test]
    fn the_edges_of_the_limits_are_allowed_and_nothing_beyond() {
        let path = "/bin/echo";
        let many = vec!["/"; *ARGV_ITEMS.end()];
        assert!(argv(&many).is_ok());
        assert_eq!(argv(&[&many[..], &["x"]].concat()), Err(InvalidArgv::Items));
        assert_eq!(argv(&[]), Err(InvalidArgv::Items));

        let long = "ä".repeat((ARGV_BYTES - path.len()) / 2);
        let filler = "x".repeat(ARGV_BYTES - path.len() - long.len());
        assert!(argv(&[path, &long, &filler]).is_ok());
        assert_eq!(argv(&[path, &long, &filler, "x"]), Err(InvalidArgv::Bytes));
        assert_eq!(argv(&[path, &"x".repeat(1 << 20)]), Err(InvalidArgv::Bytes));
    }

    #[test]
    fn what_no_program_could_be_called_with_is_refused() {
        for program in ["echo", "./echo", "../bin/echo", "", " /bin/echo", "~/x", "-h"] {
            assert_eq!(argv(&[program, "x"]), Err(InvalidArgv::Relative), "{program:?}");
        }
        assert_eq!(argv(&["/bin/\0echo"]), Err(InvalidArgv::Nul));
        assert_eq!(argv(&["/bin/echo", "a\0b"]), Err(InvalidArgv::Nul));
    }

    #[test]
    fn the_data_of_a_job_is_a_command_and_perhaps_a_timeout() {
        for (timeout, seconds) in [(json!(1), Some(1)), (json!(3600), Some(3600)), (json!(null), None)] {
            let operation = read(&json!({ "command": ["/bin/true"], "timeout_seconds": timeout })).expect("valid");
            assert_eq!(operation.own_timeout(), seconds.map(Duration::from_secs));
        }
        let written = read(&json!({ "command": ["/bin/true"] })).expect("valid").data().expect("serializes");
        assert_eq!(written.expect("data").get(), r#"{"command":["/bin/true"]}"#);

        for (data, expected) in [
            (json!({}), "missing field `command`"),
            (json!({ "command": [] }), "1 to 256 items"),
            (json!({ "command": "/bin/true" }), "expected a sequence"),
            (json!({ "command": [1] }), "expected a string"),
            (json!({ "command": ["true"] }), "absolute path"),
            (json!({ "command": ["/bin/true"], "timeout_seconds": 0 }), "expected a whole number from 1 to 3600"),
            (json!({ "command": ["/bin/true"], "timeout_seconds": 3601 }), "expected a whole number from 1 to 3600"),
            (json!({ "command": ["/bin/true"], "timeout_seconds": -1 }), "expected a whole number from 1 to 3600"),
            (json!({ "command": ["/bin/true"], "shell": true }), "unknown field `shell`"),
        ] {
            let error = read(&data).expect_err("refused");
            assert!(error.contains(expected), "{data} gave: {error}");
        }
        for (data, field) in [
            (json!({ "command": ["true"] }), "command"),
            (json!({ "command": [], "timeout_seconds": 1 }), "command"),
            (json!({ "command": ["/bin/true"], "timeout_seconds": 0 }), "timeout_seconds"),
        ] {
            let error = serde_path_to_error::deserialize::<_, CommandInput>(data).expect_err("refused");
            assert_eq!(error.path().to_string(), field);
        }
    }

    #[test]
    fn the_schema_states_the_ranges_that_are_checked() {
        let schema = schemars::schema_for!(CommandInput).to_value();
        assert_eq!(schema["required"], json!(["command"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        let command = &schema["properties"]["command"];
        assert_eq!((&command["minItems"], &command["maxItems"]), (&json!(1), &json!(256)));
        assert_eq!(command["prefixItems"][0]["maxLength"], json!(131_072));
        assert_eq!(command["items"]["maxLength"], json!(131_072));
        let timeout = &schema["properties"]["timeout_seconds"];
        assert_eq!((&timeout["minimum"], &timeout["maximum"]), (&json!(1), &json!(3600)), "{timeout}");
    }
}
