//! The API document: complete, consistent, and the same as what is served. That answers keep to it is seen at every
//! answer of these tests.

use std::collections::BTreeSet;

use poem_openapi::OpenApi;
use serde_json::{Map, Value, json};

use super::schema::{departure, resolve};
use crate::{
    adapters::http::{
        HttpSettings,
        document::{document, refusals_of},
        problem_kind::ProblemKind,
        routes::WholeApi,
    },
    domain::OperationKind,
};

fn of_defaults() -> Value {
    document(&HttpSettings::default())
}

/// All operations, with their methods and paths.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("an item").iter().filter(|(name, _)| *name != "servers");
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

/// All references below a value.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            if let Some(mapping) = members.get("mapping").and_then(Value::as_object) {
                found.extend(mapping.values().filter_map(Value::as_str));
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_operation_of_the_code_is_in_the_document_once() {
    let of_code: BTreeSet<String> = WholeApi::meta()
        .into_iter()
        .flat_map(|api| api.paths)
        .flat_map(|path| path.operations.into_iter().map(move |operation| (path.path.clone(), operation.method)))
        .map(|(path, method)| format!("{} {path}", method.as_str().to_lowercase()))
        .collect();
    let document = of_defaults();
    let of_document: Vec<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
    assert_eq!(of_document.iter().cloned().collect::<BTreeSet<_>>(), of_code);
    assert_eq!(of_document.len(), of_code.len());
    assert!(of_code.len() >= 14);
}

#[test]
fn every_operation_says_what_it_is_and_how_it_refuses() {
    let document = of_defaults();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().expect("an id")), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name}");
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            assert!(parameter["description"].as_str().is_some_and(|words| !words.is_empty()), "{name}: {parameter}");
            let in_template = name.contains(&format!("{{{}}}", parameter["name"].as_str().expect("a name")));
            assert_eq!(parameter["in"] == "path", in_template, "{name}: {parameter}");
        }
        for header in ["Allow", "Retry-After", "WWW-Authenticate", "X-Request-Id"] {
            assert!(operation["responses"]["default"]["headers"].get(header).is_some(), "{name}: {header}");
        }
        assert!(operation["description"].as_str().is_some_and(|words| !words.is_empty()), "{name}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        assert!(operation["security"].is_array(), "{name}");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            assert!(response["description"].as_str().is_some_and(|words| !words.is_empty()), "{name} {status}");
            assert_eq!(response["headers"]["X-Request-Id"]["required"], true, "{name} {status}");
        }
    }
}

#[test]
fn the_refusals_of_every_operation_are_listed_by_status_with_their_types() {
    let document = of_defaults();
    let mut listed = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let mut kinds = BTreeSet::new();
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let content = response["content"].as_object().expect("content");
            assert_eq!(content.keys().collect::<Vec<_>>(), ["application/problem+json"], "{name} {status}");
            let media = &content["application/problem+json"];
            assert_eq!(media["schema"], json!({ "$ref": "#/components/schemas/Problem" }), "{name} {status}");
            for uri in response.get("x-problem-types").and_then(Value::as_array).into_iter().flatten() {
                let kind = ProblemKind::ALL.iter().find(|kind| kind.uri() == uri).expect("a known type");
                assert_eq!(kind.status().as_str(), status, "{name}");
                kinds.insert(*kind);
            }
        }
        assert_eq!(kinds.iter().copied().collect::<Vec<_>>(), refusals_of(operation), "{name}");
        assert_eq!(kinds.contains(&ProblemKind::MissingRole), operation["security"] != json!([]), "{name}");
        assert_eq!(kinds.contains(&ProblemKind::BodyTooLarge), operation.get("requestBody").is_some(), "{name}");
        listed.extend(kinds);
    }
    // What is said before a call is known.
    listed.extend([ProblemKind::NoSuchPath, ProblemKind::MethodNotAllowed]);
    assert_eq!(listed.into_iter().collect::<Vec<_>>(), ProblemKind::ALL, "every kind belongs to a call");
    let uris: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
    assert_eq!(document["components"]["schemas"]["ProblemType"]["enum"], json!(uris));
}

#[test]
fn every_body_has_an_example_that_keeps_to_its_schema() {
    let document = of_defaults();
    let mut examples = 0;
    for (name, operation) in operations(&document) {
        let responses = operation["responses"].as_object().expect("responses").values();
        for body in responses.chain(operation.get("requestBody")) {
            for media in body.get("content").and_then(Value::as_object).into_iter().flat_map(Map::values) {
                let example = media.get("example").unwrap_or_else(|| panic!("{name} has a body without an example"));
                assert_eq!(departure(&document, &media["schema"], example), None, "{name}: {example}");
                examples += 1;
            }
        }
    }
    assert!(examples > 100, "{examples}");
}

#[test]
fn schemas_use_words_that_generators_of_clients_understand() {
    fn walk(place: &str, schema: &Value) {
        match schema {
            Value::Object(members) => {
                assert!(!members.contains_key("prefixItems") && !members.contains_key("const"), "{place}");
                let unions = ["oneOf", "anyOf"].map(|word| members.get(word).and_then(Value::as_array));
                for choice in unions.into_iter().flatten().flatten() {
                    assert!(choice.get("$ref").or(choice.get("type")).is_some(), "{place}: {choice}");
                }
                // A union that has to be guessed is one of references without a word that tells them apart.
                let references =
                    unions[1].map_or(0, |choices| choices.iter().filter(|it| it.get("$ref").is_some()).count());
                assert!(references < 2, "{place}: a union without a discriminator");
                assert!(unions[0].is_none() || members.contains_key("discriminator"), "{place}");
                members.iter().for_each(|(name, member)| walk(&format!("{place}.{name}"), member));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(place, item)),
            _ => {}
        }
    }
    walk("", &of_defaults()["components"]["schemas"]);
}

#[test]
fn answers_that_say_more_than_a_body_are_described_with_their_headers() {
    let document = of_defaults();
    for path in ["/api/v1/jobs", "/api/v1/jobs/{id}/retry"] {
        let responses = &document["paths"][path]["post"]["responses"];
        for (status, headers) in [("201", &["Location"][..]), ("200", &["Location", "Idempotency-Replayed"])] {
            for header in headers {
                assert_eq!(responses[status]["headers"][header]["required"], true, "{path} {status} {header}");
            }
        }
    }
}

#[test]
fn every_reference_means_something_and_every_schema_is_meant() {
    let document = of_defaults();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        resolve(&document, &json!(reference));
    }
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for name in schemas.keys() {
        assert!(found.contains(format!("#/components/schemas/{name}").as_str()), "nothing refers to {name}");
    }
    for (name, operation) in operations(&document) {
        for scheme in operation.get("security").and_then(Value::as_array).into_iter().flatten() {
            for used in scheme.as_object().expect("a scheme").keys() {
                assert!(document["components"]["securitySchemes"].get(used).is_some(), "{name}: {used}");
            }
        }
    }
    let bearer = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!(
        (&bearer["type"], &bearer["scheme"], &bearer["bearerFormat"]),
        (&json!("http"), &json!("bearer"), &json!("JWT"))
    );
}

#[test]
fn an_operation_of_a_job_is_one_of_a_discriminated_set() {
    let document = of_defaults();
    let schemas = &document["components"]["schemas"];
    for holder in ["NewJob", "Job", "JobSummary"] {
        assert_eq!(schemas[holder]["properties"]["operation"]["$ref"], "#/components/schemas/Operation", "{holder}");
    }
    let union = &schemas["Operation"];
    assert_eq!(union["discriminator"]["propertyName"], "type");
    let mapping = union["discriminator"]["mapping"].as_object().expect("a mapping");
    assert_eq!(mapping.len(), OperationKind::ALL.len());
    assert_eq!(union["oneOf"].as_array().map(Vec::len), Some(OperationKind::ALL.len()));
    for kind in OperationKind::ALL {
        let reference = &mapping[kind.name()];
        assert!(union["oneOf"].as_array().expect("choices").contains(&json!({ "$ref": reference })), "{kind:?}");
        let variant = resolve(&document, reference);
        assert_eq!(variant["properties"]["type"]["enum"], json!([kind.name()]));
        assert_eq!(variant["x-effect"], kind.effect().as_str());
        assert_eq!(variant["additionalProperties"], false);
        assert!(variant["required"].as_array().expect("names").contains(&json!("type")));
        assert_eq!(variant["description"], kind.summary());
    }
}

#[test]
fn the_schema_of_a_request_takes_what_the_api_takes() {
    let document = of_defaults();
    let schema = &document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    for (body, right) in [
        (json!({ "operation": { "type": "node.os.get" }, "target": "_any" }), true),
        (json!({ "operation": { "type": "node.os.get", "data": {} }, "target": "_any", "timeout_seconds": 1 }), true),
        (json!({ "operation": { "type": "node.os.get" }, "target": "_any", "deadline_seconds": 86_400 }), true),
        (json!({ "operation": { "type": "node.os.get" }, "target": "_any", "timeout_seconds": null }), true),
        (json!({ "operation": { "type": "node.nope" }, "target": "_any" }), false),
        (json!({ "operation": { "type": "node.os.get", "data": { "x": 1 } }, "target": "_any" }), false),
        (json!({ "operation": { "type": "node.os.get" } }), false),
        (json!({ "operation": { "type": "node.os.get" }, "target": 5 }), false),
        (json!({ "operation": { "type": "node.os.get" }, "target": "_any", "timeout_seconds": 3601 }), false),
        (json!({ "operation": { "type": "node.os.get" }, "target": "_any", "deadline_seconds": 0 }), false),
        (json!({ "operation": { "type": "node.os.get" }, "target": "_any", "x": 1 }), false),
        (json!([{ "type": "node.os.get" }, "_any", null, null]), false),
    ] {
        assert_eq!(departure(&document, schema, &body).is_none(), right, "{body}");
    }
}

#[test]
fn the_metrics_page_is_always_described_where_it_is_configured_to_be() {
    let listen = Some("127.0.0.1:9464".parse().expect("an address"));
    for (path, metrics_listen) in
        [("/metrics", None), ("/metrics", listen), ("/internal/m.1", None), ("/internal/m.1", listen)]
    {
        let settings = HttpSettings { metrics_path: path.to_owned(), metrics_listen, ..HttpSettings::default() };
        let document = document(&settings);
        let item = &document["paths"][path];
        let page = &item["get"]["responses"]["200"];
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(page["content"][content_type]["schema"]["type"], "string", "{path}");
        let off = &item["get"]["responses"]["404"];
        assert_eq!(off["description"], "Metrics are off");
        assert!(off["content"].get("application/problem+json").is_some());
        assert_eq!(item["get"]["security"], json!([]));
        let servers = metrics_listen.map(|_| json!("http://127.0.0.1:9464"));
        assert_eq!(item.pointer("/servers/0/url"), servers.as_ref(), "{path}");
        let other = if path == "/metrics" { "/internal/m.1" } else { "/metrics" };
        assert_eq!(document["paths"].get(other), None);
        assert_eq!(operations(&document).len(), operations(&of_defaults()).len());
    }
}

#[test]
fn the_document_says_which_version_of_what_it_describes() {
    let document = of_defaults();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    // What is refused below the API cannot be in its own words.
    let words = document["info"]["description"].as_str().expect("words");
    assert!(words.contains("with an empty body and without a request id"), "{words}");
}
