//! The document of an API with given settings.

use poem_openapi::{ExtraHeader, OpenApiService, ServerObject};
use serde_json::{Map, Value, json};

use super::{examples::example_of, plain_schemas::make_plain, refusals::describe_refusals};
use crate::adapters::http::{
    routes::{METRICS, WholeApi},
    settings::HttpSettings,
    wire::insert_schemas,
};

const DESCRIPTION: &str = "Run management jobs on a fleet of Linux hosts. Errors are `application/problem+json`; their \
                           `type` tells programs what is wrong. Unknown query parameters and fields are refused, and \
                           all mistakes of a request are named together. Requests that are not HTTP, or whose head is \
                           too large, are refused before the API sees them: with an empty body and without a request \
                           id.";
const LICENSE: &str = "MIT OR Apache-2.0";
/// The groups of calls, with what they are about.
const TAGS: [(&str, &str); 5] = [
    ("jobs", "Submit, look at, repeat, cancel and delete jobs."),
    ("nodes", "Typed calls: each submits one operation as a job, waits for it, and answers with what every host said."),
    ("workers", "The processes on the hosts that run jobs."),
    ("health", "Whether the process answers, is ready, and how it does."),
    ("metrics", "What Prometheus scrapes."),
];

/// The document of an API with these settings.
///
/// # Panics
/// When the framework's document is not what this is written against; a test would have said so.
#[must_use]
#[expect(clippy::expect_used, reason = "the document is made from the code alone; a test makes it")]
pub fn document(settings: &HttpSettings) -> Value {
    let service = OpenApiService::new(DocumentedOnly, "osapi", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(LICENSE)
        .server(ServerObject::new("/"))
        .extra_response_header::<String, _>(
            ExtraHeader::new("X-Request-Id").description("The id of the request: the client's own if it is harmless"),
        );
    let mut document: Value = serde_json::from_str(&service.spec()).expect("the framework writes JSON");
    document["openapi"] = json!("3.1.0");
    document["info"]["license"]["identifier"] = json!(LICENSE);
    document["tags"] = TAGS.map(|(name, description)| json!({ "name": name, "description": description })).into();

    let components = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    let components = components.expect("there are schemas");
    insert_schemas(components);
    make_plain(components);
    let mut paths = std::mem::take(document.get_mut("paths").and_then(Value::as_object_mut).expect("there are paths"));
    let operations = paths.iter_mut().filter_map(|(path, item)| Some((tag_of(path), item.as_object_mut()?)));
    for (tag, operation) in operations.flat_map(|(tag, item)| item.values_mut().map(move |operation| (tag, operation)))
    {
        operation["tags"] = json!([tag]);
        if operation.get("security").is_none() {
            operation["security"] = json!([]);
        }
        add_examples(operation);
        for response in
            operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            spell_headers(response);
            describe(response, &document);
        }
        describe_refusals(operation);
    }
    let mut metrics = paths.remove(METRICS).expect("the page is documented");
    describe_metrics(&mut metrics, settings);
    paths.insert(settings.metrics_path.clone(), metrics);
    document["paths"] = Value::Object(paths);
    document
}

/// As YAML.
///
/// # Panics
/// Never: the document is JSON, and all JSON is YAML.
#[must_use]
#[expect(clippy::expect_used, reason = "all JSON is YAML")]
pub fn to_yaml(document: &Value) -> String {
    serde_yaml::to_string(document).expect("all JSON is YAML")
}

/// The group of the calls of a path.
fn tag_of(path: &str) -> &'static str {
    let below = path.strip_prefix("/api/v1/").unwrap_or(path).trim_start_matches('/');
    let first = below.split('/').next().unwrap_or_default();
    TAGS.iter().map(|(name, _)| *name).find(|name| *name == first).unwrap_or("metrics")
}

/// Gives an example to the bodies of a call and of its answers.
fn add_examples(operation: &mut Value) {
    let of_request = operation.get_mut("requestBody").into_iter();
    let mut add = |holder: &mut Value| {
        let Some(media) = holder.pointer_mut("/content/application~1json") else { return };
        let name = media["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
        if let Some(example) = name.and_then(example_of) {
            media["example"] = example;
        }
    };
    of_request.for_each(&mut add);
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    responses.into_iter().flat_map(Map::values_mut).for_each(add);
}

/// The framework writes the names of response headers in capitals.
fn spell_headers(response: &mut Value) {
    if let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) {
        let spelled = std::mem::take(headers).into_iter().map(|(name, header)| (spell(&name), header));
        headers.extend(spelled.collect::<Vec<_>>());
    }
}

/// An answer that says nothing of itself is described by what it holds.
fn describe(response: &mut Value, document: &Value) {
    let reference = response.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
    let schema = reference.and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    if let (Some(words), Some("")) =
        (schema.and_then(|schema| schema.get("description")), response["description"].as_str())
    {
        response["description"] = words.clone();
    }
}

fn spell(name: &str) -> String {
    let word = |word: &str| {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let spelled = name.split('-').map(word).collect::<Vec<_>>().join("-");
    if spelled == "Www-Authenticate" { "WWW-Authenticate".to_owned() } else { spelled }
}

const METRICS_EXAMPLE: &str = "# HELP osapi_jobs_created_total Jobs that this process accepted.\n\
                               # TYPE osapi_jobs_created_total counter\n\
                               osapi_jobs_created_total{operation=\"node.load.get\"} 42\n";

/// What the framework cannot know of the page: that it can be off, and elsewhere.
fn describe_metrics(metrics: &mut Value, settings: &HttpSettings) {
    metrics["get"]["responses"]["404"]["description"] = json!("Metrics are off");
    let content = metrics.pointer_mut("/get/responses/200/content").and_then(Value::as_object_mut);
    for media in content.into_iter().flat_map(Map::values_mut) {
        media["example"] = json!(METRICS_EXAMPLE);
    }
    if let Some(listen) = settings.metrics_listen {
        metrics["servers"] = json!([{ "url": format!("http://{listen}"), "description": "The listener of its own" }]);
    }
}

/// The API's document without an API.
struct DocumentedOnly;

impl poem_openapi::OpenApi for DocumentedOnly {
    fn meta() -> Vec<poem_openapi::registry::MetaApi> {
        <WholeApi as poem_openapi::OpenApi>::meta()
    }

    fn register(registry: &mut poem_openapi::registry::Registry) {
        <WholeApi as poem_openapi::OpenApi>::register(registry);
    }

    fn add_routes(
        self,
        _: &mut std::collections::HashMap<
            String,
            std::collections::HashMap<poem::http::Method, poem::endpoint::BoxEndpoint<'static>>,
        >,
    ) {
    }
}
