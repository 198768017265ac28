//! Requests for jobs.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;

use super::{
    body::{ReadBody, read_json, wrong},
    operation::operation_schema,
    schemas::TargetText,
};
use crate::{
    adapters::http::problem::ApiError,
    domain::{Operation, OperationKind, Target},
};

/// A request for a job.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::adapters::http) struct NewJob {
    /// What to do.
    #[schemars(schema_with = "operation_schema")]
    pub(in crate::adapters::http) operation: Operation,
    /// Where: `_any`, `_all`, a hostname, or a label `key:value` that matches by dotted prefix.
    #[schemars(with = "TargetText")]
    pub(in crate::adapters::http) target: Target,
    /// Longest run of one execution, in seconds. Never above `deadline_seconds`.
    #[schemars(range(min = 1, max = 3600))]
    pub(in crate::adapters::http) timeout_seconds: Option<u64>,
    /// Longest time until the last possible start, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub(in crate::adapters::http) deadline_seconds: Option<u64>,
}

/// The request before its operation is understood.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJob<'a> {
    #[serde(borrow)]
    operation: RawOperation<'a>,
    target: Target,
    timeout_seconds: Option<u64>,
    deadline_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOperation<'a> {
    #[serde(rename = "type")]
    name: Name,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The name of an operation.
struct Name(OperationKind);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        OperationKind::from_name(&name).map(Self).map_err(D::Error::custom)
    }
}

impl ReadBody for NewJob {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let raw: RawJob<'_> = match serde_json::from_slice(bytes) {
            Ok(raw) => raw,
            Err(error) => return Err(located::<RawJob<'_>>(bytes, "", &error)),
        };
        let data = raw.operation.data.map_or("{}", RawValue::get);
        let data = if data == "null" { "{}" } else { data };
        let kind = raw.operation.name.0;
        let mut deserializer = serde_json::Deserializer::from_str(data);
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
        let operation = Operation::deserialize(kind, tracked)
            .map_err(|error| wrong(&track.path().to_string(), "operation.data", &error))?;
        Ok(Self {
            operation,
            target: raw.target,
            timeout_seconds: raw.timeout_seconds,
            deadline_seconds: raw.deadline_seconds,
        })
    }
}

/// Finds where an error is.
fn located<'a, T: Deserialize<'a>>(bytes: &'a [u8], prefix: &str, error: &serde_json::Error) -> ApiError {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => wrong("", prefix, error),
        Err(found) => wrong(&found.path().to_string(), prefix, found.inner()),
    }
}

/// A request to repeat a job.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::adapters::http) struct NewRetry {
    /// Where; the original's target when it is not said.
    #[schemars(with = "Option<TargetText>")]
    pub(in crate::adapters::http) target: Option<Target>,
}

impl ReadBody for NewRetry {
    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let read: Option<Self> = read_json(bytes, "")?;
        Ok(read.unwrap_or_default())
    }
}
