//! The API document (OpenAPI 3.1): made from the handlers and the types on the wire, for server, command and test alike.

use poem_openapi::{OpenApiService, ServerObject};
use serde_json::{Map, Value, json};

use super::{
    routes::{METRICS, WholeApi},
    settings::HttpSettings,
    wire::insert_schemas,
};

const DESCRIPTION: &str = "Run management jobs on a fleet of Linux hosts. Errors are `application/problem+json`. \
                           Requests that are not HTTP, or whose head is too large, are refused before the API sees \
                           them: with an empty body and without a request id.";

/// The document of an API with these settings.
///
/// # Panics
/// When the framework's document is not what this is written against; a test would have said so.
#[must_use]
#[expect(clippy::expect_used, reason = "the document is made from the code alone; a test makes it")]
pub fn document(settings: &HttpSettings) -> Value {
    let service = OpenApiService::new(DocumentedOnly, "osapi", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license("MIT OR Apache-2.0")
        .server(ServerObject::new("/"));
    let mut document: Value = serde_json::from_str(&service.spec()).expect("the framework writes JSON");
    document["openapi"] = json!("3.1.0");

    let components = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    insert_schemas(components.expect("there are schemas"));
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).expect("there are paths");
    for path in paths.values_mut().filter_map(Value::as_object_mut) {
        for operation in path.values_mut() {
            spell_headers(operation);
        }
    }
    let mut metrics = paths.remove(METRICS).expect("the page is documented");
    describe_metrics(&mut metrics, settings);
    paths.insert(settings.metrics_path.clone(), metrics);
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

/// The framework writes the names of response headers in capitals.
fn spell_headers(operation: &mut Value) {
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for response in responses.into_iter().flat_map(Map::values_mut) {
        if let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) {
            let spelled = std::mem::take(headers).into_iter().map(|(name, header)| (spell(&name), header));
            headers.extend(spelled.collect::<Vec<_>>());
        }
    }
}

fn spell(name: &str) -> String {
    let word = |word: &str| {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// What the framework cannot know of the page: that it can be off, and elsewhere.
fn describe_metrics(metrics: &mut Value, settings: &HttpSettings) {
    let problem = metrics.pointer("/get/responses/default/content").cloned().unwrap_or_default();
    metrics["get"]["responses"]["404"] = json!({ "description": "Metrics are off", "content": problem });
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
