//! Whether a value keeps to a schema of the document. It knows the words that our schemas use, and no others.

use serde_json::{Map, Value};

/// What is wrong with `value`, by the place in it; none when it keeps to `schema`.
///
/// # Panics
/// At a word of JSON Schema that it does not know, and at a reference to nothing.
pub(super) fn departure(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}"));
    schema.iter().find_map(|(word, rule)| {
        let wrong = match word.as_str() {
            "$ref" => departure(document, resolve(document, rule), value),
            "type" => (!has_type(rule, value)).then(|| format!("is not of type {rule}")),
            "enum" => (!list(rule).contains(value)).then(|| format!("is none of {rule}")),
            "const" => (rule != value).then(|| format!("is not {rule}")),
            "minimum" => value.as_f64().filter(|number| *number < bound(rule)).map(|_| format!("is below {rule}")),
            "maximum" => value.as_f64().filter(|number| *number > bound(rule)).map(|_| format!("is above {rule}")),
            "required" => list(rule)
                .iter()
                .filter_map(Value::as_str)
                .find(|name| value.is_object() && value.get(name).is_none())
                .map(|name| format!("has no {name}")),
            "properties" => value.as_object().and_then(|members| {
                let known = rule.as_object().expect("properties").iter();
                known.filter_map(|(name, rule)| Some((name, rule, members.get(name)?))).find_map(
                    |(name, rule, member)| departure(document, rule, member).map(|wrong| format!(".{name} {wrong}")),
                )
            }),
            "additionalProperties" => value.as_object().and_then(|members| additional(document, schema, rule, members)),
            "items" => value.as_array().and_then(|items| {
                let departures = items.iter().enumerate();
                departures
                    .into_iter()
                    .find_map(|(index, item)| departure(document, rule, item).map(|wrong| format!("[{index}] {wrong}")))
            }),
            "anyOf" => (keeping(document, rule, value) == 0).then(|| "keeps to none of the choices".to_owned()),
            "oneOf" => (keeping(document, rule, value) != 1).then(|| "does not keep to one of the choices".to_owned()),
            "format" => wrong_format(rule.as_str().expect("a word"), value),
            "minItems" => {
                value.as_array().filter(|items| items.len() < count(rule)).map(|_| format!("has under {rule}"))
            }
            "maxItems" => {
                value.as_array().filter(|items| items.len() > count(rule)).map(|_| format!("has over {rule}"))
            }
            "minProperties" => {
                let members = value.as_object().map(Map::len);
                members.filter(|members| *members < count(rule)).map(|_| format!("has under {rule} members"))
            }
            "minLength" => {
                length(value).filter(|length| *length < count(rule)).map(|_| format!("is under {rule} long"))
            }
            "maxLength" => length(value).filter(|length| *length > count(rule)).map(|_| format!("is over {rule} long")),
            // What patterns describe is shown where they are written down.
            "description" | "discriminator" | "x-effect" | "pattern" | "default" | "not" => None,
            _ => panic!("a word that is not known here: {word}"),
        };
        wrong.map(|wrong| wrong.trim_start().to_owned())
    })
}

/// What a reference means.
pub(super) fn resolve<'a>(document: &'a Value, reference: &Value) -> &'a Value {
    let reference = reference.as_str().expect("a reference");
    let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("elsewhere: {reference}"));
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is nowhere"))
}

fn list(rule: &Value) -> &Vec<Value> {
    rule.as_array().expect("a list")
}

fn bound(rule: &Value) -> f64 {
    rule.as_f64().expect("a number")
}

fn count(rule: &Value) -> usize {
    rule.as_u64().and_then(|count| count.try_into().ok()).expect("a count")
}

fn length(value: &Value) -> Option<usize> {
    value.as_str().map(|text| text.chars().count())
}

fn keeping(document: &Value, rule: &Value, value: &Value) -> usize {
    list(rule).iter().filter(|choice| departure(document, choice, value).is_none()).count()
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let types = rule.as_array().map_or_else(|| std::slice::from_ref(rule), Vec::as_slice);
    types.iter().any(|name| match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type: {other}"),
    })
}

fn additional(
    document: &Value,
    schema: &Map<String, Value>,
    rule: &Value,
    members: &Map<String, Value>,
) -> Option<String> {
    let known = schema.get("properties").and_then(Value::as_object);
    let mut unknown = members.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
    unknown.find_map(|(name, member)| match rule {
        Value::Bool(allowed) => (!allowed).then(|| format!("has an unknown {name}")),
        rule => departure(document, rule, member).map(|wrong| format!(".{name} {wrong}")),
    })
}

fn wrong_format(format: &str, value: &Value) -> Option<String> {
    let right = value.as_str().is_none_or(|text| match format {
        "date-time" => text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(),
        "uri" => text.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()),
        "uuid" => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        // Said by patterns too, or tried elsewhere.
        "ipv4" | "ipv6" | "hostname" => true,
        _ => panic!("a format that is not known here: {format}"),
    });
    (!right).then(|| format!("is no {format}"))
}
