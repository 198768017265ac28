//! Requests for jobs.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny},
};
use serde_json::value::RawValue;

use super::{
    body::ReadBody,
    fields::required,
    object::{check_json, read_body, read_object, required_of},
    operation::operation_schema,
    schemas::TargetText,
    whole::Whole,
};
use crate::{
    adapters::http::problem::ApiError,
    domain::{FieldError, Operation, OperationKind, Target, time_limits::out_of_ranges},
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
struct RawJob<O> {
    operation: O,
    target: Target,
    timeout_seconds: Option<Whole>,
    deadline_seconds: Option<Whole>,
}

/// The operation before its data is understood.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOperation<D> {
    #[serde(rename = "type")]
    name: Name,
    data: Option<D>,
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
        check_json(bytes)?;
        let (seed, check) = (PhantomData::<RawJob<&RawValue>>, PhantomData::<RawJob<IgnoredAny>>);
        match read_object(bytes, "", seed, check, required_of::<Self>) {
            Ok(job) => match read_operation(job.operation) {
                Ok(operation) => Ok(Self {
                    operation,
                    target: job.target,
                    timeout_seconds: job.timeout_seconds.map(|seconds| seconds.0),
                    deadline_seconds: job.deadline_seconds.map(|seconds| seconds.0),
                }),
                Err(mut errors) => {
                    errors.extend(out_of_range(bytes));
                    Err(ApiError::fields(errors))
                }
            },
            Err(mut errors) => {
                let operation = serde_json::from_slice::<Parts<'_>>(bytes).ok().and_then(|parts| parts.operation);
                if let Some(Err(wrong)) = operation.map(read_operation) {
                    errors.extend(wrong);
                }
                errors.extend(out_of_range(bytes));
                Err(ApiError::fields(errors))
            }
        }
    }
}

/// Reads the operation of a job.
fn read_operation(raw: &RawValue) -> Result<Operation, Vec<FieldError>> {
    let bytes = raw.get().as_bytes();
    let (seed, check) = (PhantomData::<RawOperation<&RawValue>>, PhantomData::<RawOperation<IgnoredAny>>);
    let operation = match read_object(bytes, "operation", seed, check, || vec!["type".to_owned()]) {
        Ok(operation) => operation,
        Err(mut errors) => {
            // Its data can be looked at where its type is known.
            if let Ok(Parts { name: Some(name), data, .. }) = serde_json::from_slice(bytes)
                && let Ok(Name(kind)) = serde_json::from_str(name.get())
                && let Err(wrong) = read_data(kind, data)
            {
                errors.extend(wrong);
            }
            return Err(errors);
        }
    };
    read_data(operation.name.0, operation.data)
}

fn read_data(kind: OperationKind, data: Option<&RawValue>) -> Result<Operation, Vec<FieldError>> {
    let data = data.map(RawValue::get).filter(|data| *data != "null").unwrap_or("{}");
    read_object(data.as_bytes(), "operation.data", DataOf(kind), DataOf(kind), || {
        required(&kind.input_schema(&mut SchemaGenerator::default()))
    })
}

/// The limits that are numbers and out of their range: a job that is refused anyhow is told of them too.
fn out_of_range(bytes: &[u8]) -> Vec<FieldError> {
    let Ok(Parts { timeout_seconds, deadline_seconds, .. }) = serde_json::from_slice(bytes) else { return Vec::new() };
    let whole = |raw: Option<&RawValue>| {
        let read: Option<Whole> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
        read.map(|whole| whole.0)
    };
    out_of_ranges(whole(timeout_seconds), whole(deadline_seconds))
}

/// What can be looked at of a request that is wrong elsewhere.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    operation: Option<&'a RawValue>,
    #[serde(rename = "type", borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    timeout_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    deadline_seconds: Option<&'a RawValue>,
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
        if bytes.trim_ascii() == b"null" { Ok(Self::default()) } else { read_body(bytes) }
    }
}
