//! Whether an answer is one that the document describes.

use std::sync::LazyLock;

use poem::http::Method;
use serde_json::{Map, Value};

use super::{call::Answer, schema::departure};
use crate::adapters::http::{HttpSettings, document};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document(&HttpSettings::default()));

/// Headers that are part of the contract: where one is sent it is described.
const TOLD: [&str; 6] =
    ["location", "idempotency-replayed", "retry-after", "www-authenticate", "x-request-id", "allow"];

/// An answer of an operation has a status, a content type, a body and headers that the document describes.
pub(super) fn check_documented(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    let responses = operation["responses"].as_object().expect("responses");
    let status = answer.status.to_string();
    let response = responses.get(&status).or_else(|| responses.get("default").filter(|_| answer.status >= 400));
    let response = response.unwrap_or_else(|| panic!("{method} {path} is not described to answer {answer:?}"));

    let nothing = Map::new();
    let headers = response.get("headers").and_then(Value::as_object).unwrap_or(&nothing);
    let described = |name: &str| headers.iter().find(|(described, _)| described.eq_ignore_ascii_case(name));
    for name in TOLD {
        assert!(answer.header(name).is_none() || described(name).is_some(), "{name} is not described: {answer:?}");
    }
    for (name, header) in headers {
        assert!(header["required"] != true || answer.headers.contains_key(name), "{name} is missing: {answer:?}");
    }

    let content = response.get("content").and_then(Value::as_object).unwrap_or(&nothing);
    let Some(content_type) = answer.header("content-type") else {
        assert!(content.is_empty() && answer.body.is_empty(), "{answer:?}");
        return;
    };
    let media = content.get(content_type).unwrap_or_else(|| panic!("{method} {path}: {content_type} is not described"));
    if content_type.ends_with("json") {
        let departure = departure(&DOCUMENT, &media["schema"], &answer.json());
        assert_eq!(departure, None, "{method} {path}: {}", answer.text());
    }
}

/// The operation that is described for a path; templates without parameters go first.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(part, given)| part == given || part.starts_with('{') && !given.is_empty())
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let item = paths.get(path).or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, item)| item))?;
    item.get(method.as_str().to_lowercase())
}
