//! What every host said to one operation.

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{job::ExecutionError, schemas::Status};
use crate::domain::{Execution, ExecutionStatus, Job, JobStatus, OperationKind, ResultDocument, operation::Spec};

/// What every host said to the operation `O`.
#[derive(Debug, Serialize)]
pub(in crate::adapters::http) struct NodeResults<O> {
    job_id: Uuid,
    status: JobStatus,
    results: Vec<NodeResult>,
    #[serde(skip)]
    operation: PhantomData<fn() -> O>,
}

/// What one host said, or why it did not.
#[derive(Debug, Serialize)]
struct NodeResult {
    hostname: Option<String>,
    status: ExecutionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<ResultDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ExecutionError>,
}

impl<O> From<Job> for NodeResults<O> {
    fn from(job: Job) -> Self {
        Self {
            job_id: job.summary.id.as_uuid(),
            status: job.summary.status,
            results: job.executions.into_iter().map(NodeResult::from).collect(),
            operation: PhantomData,
        }
    }
}

impl From<Execution> for NodeResult {
    fn from(execution: Execution) -> Self {
        Self {
            hostname: execution.worker.map(|worker| worker.to_string()),
            status: execution.status,
            data: execution.result,
            error: execution.error.map(ExecutionError::from),
        }
    }
}

impl<O: Spec> JsonSchema for NodeResults<O> {
    fn schema_name() -> Cow<'static, str> {
        let kind = OperationKind::ALL.into_iter().find(|kind| kind.name() == O::NAME);
        name(kind.map_or(O::NAME, OperationKind::type_name)).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Of every operation, by `insert_results`.
        json_schema!({ "$ref": format!("#/components/schemas/{}", Self::schema_name()) })
    }
}

fn name(type_name: &str) -> String {
    format!("{type_name}Results")
}

/// The schemas of the results of all operations.
pub(super) fn insert_results(generator: &mut SchemaGenerator) {
    let (status, error) = (generator.subschema_for::<Status>(), generator.subschema_for::<ExecutionError>());
    for kind in OperationKind::ALL {
        let result = format!("#/components/schemas/{}Result", kind.type_name());
        let schema = json!({
            "type": "object",
            "description": format!("What every host said to `{}`.", kind.name()),
            "properties": {
                "job_id": { "type": "string", "format": "uuid", "description": "The job that asked them." },
                "status": status,
                "results": {
                    "type": "array",
                    "description": "One for each host, ordered by host; one for `_any`.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "hostname": {
                                "type": ["string", "null"],
                                "description": "The host; none while nobody has claimed it.",
                            },
                            "status": status,
                            "data": { "$ref": result },
                            "error": error,
                        },
                        "required": ["hostname", "status"],
                    },
                },
            },
            "required": ["job_id", "status", "results"],
        });
        generator.definitions_mut().insert(name(kind.type_name()), schema);
    }
}
