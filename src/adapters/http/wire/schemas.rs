//! The schemas of everything on the wire, as the document shows them.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    json_schema,
};
use serde_json::{Map, Value};

use super::{
    Alive, Job, JobPage, NewJob, NewRetry, Readiness, Report, Stats, Worker, WorkerList, node::insert_results,
    node_bodies::DnsChangeBody,
};
use crate::{
    adapters::http::problem::Problem,
    domain::{
        JobStatus, Target,
        operation::{command_exec::CommandInput, network_ping::Ping},
    },
};

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

/// Where a job shall run.
pub(super) struct TargetText;

impl JsonSchema for TargetText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": Target::PATTERN })
    }
}

/// Puts the schemas into the document's components, in place of those that only hold the place.
pub(in crate::adapters::http) fn insert_schemas(components: &mut Map<String, Value>) {
    macro_rules! describe {
        ($contract:ident: $($type:ty),+) => {
            let mut generator = generator(Contract::$contract);
            $(generator.subschema_for::<$type>();)+
            components.extend(generator.take_definitions(true));
        };
    }
    // What hosts said to an operation is made from the table of operations.
    let mut of_nodes = generator(Contract::Serialize);
    insert_results(&mut of_nodes);
    components.extend(of_nodes.take_definitions(true));
    // What is shown says which fields are always there. What is sent comes last: an operation, which is both, says what
    // may be left out.
    describe!(Serialize: Problem, Job, JobPage, Stats, Worker, WorkerList, Alive, Readiness, Report);
    describe!(Deserialize: NewJob, NewRetry, CommandInput, Ping, DnsChangeBody);
}

fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.contract = contract;
    settings.into_generator()
}
