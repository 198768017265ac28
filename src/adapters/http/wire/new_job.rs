//! Requests for jobs.

use std::{borrow::Cow, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error},
};
use serde_json::value::RawValue;

use super::{body::ReadBody, object::read_object, operation::operation_schema, schemas::TargetText};
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
    operation: &'a RawValue,
    target: Target,
    timeout_seconds: Option<u64>,
    deadline_seconds: Option<u64>,
}

/// The operation before its data is understood.
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

/// The data of an operation of this kind.
#[derive(Clone, Copy)]
struct DataOf(OperationKind);

impl<'de> DeserializeSeed<'de> for DataOf {
    type Value = Operation;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Operation, D::Error> {
        Operation::deserialize(self.0, deserializer)
    }
}

impl ReadBody for NewJob {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        let job = read_object(bytes, "", PhantomData::<RawJob<'_>>)?;
        let operation = read_object(job.operation.get().as_bytes(), "operation", PhantomData::<RawOperation<'_>>)?;
        let data = operation.data.map(RawValue::get).filter(|data| *data != "null").unwrap_or("{}");
        Ok(Self {
            operation: read_object(data.as_bytes(), "operation.data", DataOf(operation.name.0))?,
            target: job.target,
            timeout_seconds: job.timeout_seconds,
            deadline_seconds: job.deadline_seconds,
        })
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
        if bytes.trim_ascii() == b"null" { Ok(Self::default()) } else { read_object(bytes, "", PhantomData::<Self>) }
    }
}
