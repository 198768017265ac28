//! The schemas of everything on the wire, as the document shows them.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value};

use super::{
    Alive, Job, JobPage, NewJob, NewRetry, Readiness, Report, Stats, Worker, WorkerList, node::insert_results,
};
use crate::{adapters::http::problem::Problem, domain::JobStatus};

/// RFC 3339, in UTC.
pub(super) struct DateTime;

impl JsonSchema for DateTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DateTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Where a job or an execution stands.
pub(super) struct Status;

impl JsonSchema for Status {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = JobStatus::ALL.into_iter().map(JobStatus::as_str).collect();
        json_schema!({
            "type": "string",
            "enum": words,
            "description": "`queued`, `running`, then one of the others. `partial_failure` is a status of jobs only.",
        })
    }
}

/// Puts the schemas into the document's components, in place of those that only hold the place.
pub(in crate::adapters::http) fn insert_schemas(components: &mut Map<String, Value>) {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    macro_rules! describe {
        ($($type:ty),+) => { $(generator.subschema_for::<$type>();)+ };
    }
    describe!(Problem, NewJob, NewRetry, Job, JobPage, Stats, Worker, WorkerList, Alive, Readiness, Report);
    insert_results(&mut generator);
    components.extend(generator.take_definitions(true));
}
