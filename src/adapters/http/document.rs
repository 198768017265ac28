//! The API document (OpenAPI 3.1): made from the handlers and the types on the wire, for server, command and test alike.

use poem_openapi::{ExtraHeader, OpenApiService, ServerObject};
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
        .server(ServerObject::new("/"))
        .extra_response_header::<String, _>(
            ExtraHeader::new("X-Request-Id").description("The id of the request: the client's own if it is harmless"),
        );
    let mut document: Value = serde_json::from_str(&service.spec()).expect("the framework writes JSON");
    document["openapi"] = json!("3.1.0");

    let components = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    insert_schemas(components.expect("there are schemas"));
    let mut paths = std::mem::take(document.get_mut("paths").and_then(Value::as_object_mut).expect("there are paths"));
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        for response in
            operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            spell_headers(response);
            describe(response, &document);
        }
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

/// What the framework cannot know of the page: that it can be off, and elsewhere.
fn describe_metrics(metrics: &mut Value, settings: &HttpSettings) {
    let mut off = metrics.pointer("/get/responses/default").cloned().unwrap_or_default();
    off["description"] = json!("Metrics are off");
    off["headers"] = json!({ "X-Request-Id": off["headers"]["X-Request-Id"] });
    metrics["get"]["responses"]["404"] = off;
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
