//! Jobs as they are shown.

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    operation::{ShownOperation, insert_result_schemas, result_reference},
    schemas::{DateTime, Status},
};
use crate::{
    domain::{self, OperationKind, TimelineEvent},
    ports::driven,
};

macro_rules! job_documents {
    ($($(#[$meta:meta])* $field:ident: $type:ty = $value:expr;)+) => {
        /// A job with its executions.
        #[derive(Debug, Serialize, JsonSchema)]
        pub(in crate::adapters::http) struct Job {
            $($(#[$meta])* $field: $type,)+
            /// One for each host, ordered by host; one for `_any`.
            executions: Vec<Execution>,
            /// What happened, in order.
            timeline: Vec<TimelineEntry>,
        }

        /// A job in a list.
        #[derive(Debug, Serialize, JsonSchema)]
        pub(in crate::adapters::http) struct JobSummary {
            $($(#[$meta])* $field: $type,)+
        }

        impl From<domain::Job> for Job {
            fn from(job: domain::Job) -> Self {
                let domain::Job { summary, executions, timeline } = job;
                Self {
                    executions: executions.into_iter().map(|run| Execution::of(summary.operation.kind(), run)).collect(),
                    timeline: timeline.into_iter().map(TimelineEntry::from).collect(),
                    $($field: ($value)(&summary),)+
                }
            }
        }

        impl From<domain::JobSummary> for JobSummary {
            fn from(summary: domain::JobSummary) -> Self {
                Self { $($field: ($value)(&summary),)+ }
            }
        }
    };
}

type Summary = domain::JobSummary;

job_documents! {
    /// Its id; ids sort by the time of acceptance.
    id: Uuid = |job: &Summary| job.id.as_uuid();
    /// What it does.
    operation: ShownOperation = |job: &Summary| ShownOperation(job.operation.clone());
    /// Where.
    #[schemars(with = "String")]
    target: domain::Target = |job: &Summary| job.target.clone();
    /// Where it stands.
    #[schemars(with = "Status")]
    status: domain::JobStatus = |job: &Summary| job.status;
    /// When it was accepted.
    #[schemars(with = "DateTime")]
    created_at: Timestamp = |job: &Summary| job.created_at;
    /// When its first execution started.
    #[schemars(with = "Option<DateTime>")]
    started_at: Option<Timestamp> = |job: &Summary| job.started_at;
    /// When its last execution ended.
    #[schemars(with = "Option<DateTime>")]
    finished_at: Option<Timestamp> = |job: &Summary| job.finished_at;
    /// What waits beyond this expires.
    #[schemars(with = "DateTime")]
    deadline_at: Timestamp = |job: &Summary| job.deadline_at;
    /// When somebody asked to cancel it.
    #[schemars(with = "Option<DateTime>")]
    cancel_requested_at: Option<Timestamp> = |job: &Summary| job.cancel_requested_at;
    /// The subject of the token that asked for it.
    created_by: String = |job: &Summary| job.created_by.clone();
    /// The job that it repeats.
    retried_from: Option<Uuid> = |job: &Summary| job.retried_from.map(domain::JobId::as_uuid);
}

/// The run of a job on one host.
#[derive(Debug, Serialize)]
pub(in crate::adapters::http) struct Execution {
    /// The type of the job's operation: it says what `result` is.
    operation: &'static str,
    #[serde(flatten)]
    run: Run,
}

/// The run of a job on one host, of whichever operation.
#[derive(Debug, Serialize, JsonSchema)]
struct Run {
    /// The host; none while nobody has claimed it.
    worker: Option<String>,
    /// Where it stands.
    #[schemars(with = "Status")]
    status: domain::ExecutionStatus,
    /// How often it was started.
    attempt: u32,
    /// When the last attempt started.
    #[schemars(with = "Option<DateTime>")]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<DateTime>")]
    finished_at: Option<Timestamp>,
    /// How long the last attempt took, in seconds.
    duration_seconds: Option<f64>,
    /// What was returned, or is left of an unfinished run.
    #[schemars(with = "Option<AnyResult>")]
    result: Option<domain::ResultDocument>,
    /// What went wrong.
    error: Option<ExecutionError>,
}

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExecutionError {
    /// What kind of error.
    kind: domain::ErrorKind,
    /// For people.
    message: String,
}

impl From<domain::ExecutionError> for ExecutionError {
    fn from(error: domain::ExecutionError) -> Self {
        Self { kind: error.kind, message: error.message }
    }
}

fn event_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": TimelineEvent::ALL.map(TimelineEvent::as_str) })
}

/// One line of a job's history.
#[derive(Debug, Serialize, JsonSchema)]
struct TimelineEntry {
    /// When.
    #[schemars(with = "DateTime")]
    at: Timestamp,
    /// What.
    #[schemars(schema_with = "event_schema")]
    event: &'static str,
    /// On which host.
    worker: Option<String>,
    /// Why.
    message: Option<String>,
}

/// Holds the place of an operation's result.
struct AnyResult;

impl JsonSchema for AnyResult {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AnyResult".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// A union by operation, so that a result is read as what it is.
impl JsonSchema for Execution {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Execution".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        insert_result_schemas(generator);
        let of_any = Run::json_schema(generator).to_value();
        let (mut variants, mut mapping) = (Vec::new(), serde_json::Map::new());
        for kind in OperationKind::ALL {
            let mut schema = of_any.clone();
            schema["description"] = json!(format!("The run of `{}` on one host.", kind.name()));
            let words = "The type of the job's operation: it says what `result` is.";
            schema["properties"]["operation"] =
                json!({ "type": "string", "enum": [kind.name()], "description": words });
            let words = schema["properties"]["result"]["description"].clone();
            let choices = json!([result_reference(kind), { "type": "null" }]);
            schema["properties"]["result"] = json!({ "anyOf": choices, "description": words });
            if let Some(required) = schema["required"].as_array_mut() {
                required.insert(0, json!("operation"));
            }
            let name = format!("{}Execution", kind.type_name());
            let reference = format!("#/components/schemas/{name}");
            generator.definitions_mut().insert(name, schema);
            variants.push(json!({ "$ref": reference }));
            mapping.insert(kind.name().to_owned(), json!(reference));
        }
        json_schema!({
            "description": "The run of a job on one host.",
            "oneOf": variants,
            "discriminator": { "propertyName": "operation", "mapping": mapping },
        })
    }
}

impl Execution {
    /// The run of an operation.
    fn of(kind: OperationKind, execution: domain::Execution) -> Self {
        Self { operation: kind.name(), run: execution.into() }
    }
}

impl From<domain::Execution> for Run {
    fn from(execution: domain::Execution) -> Self {
        Self {
            duration_seconds: execution.duration_seconds(),
            worker: execution.worker.map(|worker| worker.to_string()),
            status: execution.status,
            attempt: execution.attempt,
            started_at: execution.started_at,
            finished_at: execution.finished_at,
            result: execution.result,
            error: execution.error.map(ExecutionError::from),
        }
    }
}

impl From<domain::TimelineEntry> for TimelineEntry {
    fn from(entry: domain::TimelineEntry) -> Self {
        Self {
            at: entry.at,
            event: entry.event.as_str(),
            worker: entry.worker.map(|worker| worker.to_string()),
            message: entry.message,
        }
    }
}

/// Jobs, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct JobPage {
    /// The jobs.
    items: Vec<JobSummary>,
    /// The `cursor` of the next page; none on the last. A page can be short and still have a next one.
    next_cursor: Option<String>,
}

impl From<driven::JobPage> for JobPage {
    fn from(page: driven::JobPage) -> Self {
        Self {
            items: page.jobs.into_iter().map(JobSummary::from).collect(),
            next_cursor: page.next.map(|id| id.as_uuid().simple().to_string()),
        }
    }
}
