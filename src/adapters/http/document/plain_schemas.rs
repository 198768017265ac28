//! Schemas in words that common generators of clients understand. The meaning stays the same, or becomes a little wider,
//! and then the description says what is missing.

use serde_json::{Map, Value, json};

/// Rewrites all schemas.
pub(super) fn make_plain(schemas: &mut Map<String, Value>) {
    schemas.values_mut().for_each(plain);
    // First those that consist of texts alone, then those that refer to them.
    for _ in 0..2 {
        let texts: Vec<String> =
            schemas.iter().filter(|(_, schema)| is_text(schema)).map(|(name, _)| of(name)).collect();
        schemas.values_mut().for_each(|schema| unite_texts(schema, &texts));
    }
}

fn of(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn is_text(schema: &Value) -> bool {
    schema["type"] == "string" && schema.get("enum").is_none()
}

/// Texts in one of several forms (`anyOf` of texts) become a text, whose description says the forms.
fn unite_texts(schema: &mut Value, texts: &[String]) {
    let Some(members) = schema.as_object_mut() else { return };
    let refers =
        |choice: &Value| choice["$ref"].as_str().is_some_and(|reference| texts.iter().any(|text| text == reference));
    let said = members.get("type") == Some(&json!("string"));
    let choices = members.get("anyOf").and_then(Value::as_array);
    if choices.is_some_and(|choices| said || choices.iter().all(|choice| is_text(choice) || refers(choice))) {
        members.remove("anyOf");
        members.insert("type".to_owned(), json!("string"));
    }
}

fn plain(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            enumerate(members);
            count_properties(members);
            without_positions(members);
            members.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

/// Words that are described one by one (`oneOf` of `const`) become an `enum`, described together.
fn enumerate(schema: &mut Map<String, Value>) {
    let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let words: Option<Vec<(Value, Option<&str>)>> = choices
        .iter()
        .map(|choice| Some((choice.get("const")?.clone(), choice.get("description").and_then(Value::as_str))))
        .collect();
    let Some(words) = words.filter(|words| !words.is_empty() && words.iter().all(|(word, _)| word.is_string())) else {
        return;
    };
    let described = schema.get("description").and_then(Value::as_str).map(str::to_owned);
    let of_words = words.iter().filter_map(|(word, meaning)| Some(format!("* `{}`: {}", word.as_str()?, (*meaning)?)));
    let lines: Vec<String> = described.into_iter().chain([String::new()]).chain(of_words).collect();
    let names: Vec<Value> = words.into_iter().map(|(word, _)| word).collect();
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), Value::Array(names));
    schema.insert("description".to_owned(), json!(lines.join("\n")));
}

/// "At least one of these fields" (`anyOf` of `required`) becomes a least number of fields; the others are all required,
/// and there are no unknown ones.
fn count_properties(schema: &mut Map<String, Value>) {
    let of_names = |choices: &Vec<Value>| {
        choices.iter().all(|choice| choice.as_object().is_some_and(|it| it.len() == 1 && it.contains_key("required")))
    };
    if schema.get("anyOf").and_then(Value::as_array).is_some_and(of_names) {
        let others = schema.get("required").and_then(Value::as_array).map_or(0, Vec::len);
        schema.remove("anyOf");
        schema.insert("minProperties".to_owned(), json!(others + 1));
    }
}

/// Items by their position (`prefixItems`) become items like all others; the description of their list says the rest.
fn without_positions(schema: &mut Map<String, Value>) {
    schema.remove("prefixItems");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(mut schema: Value) -> Value {
        plain(&mut schema);
        schema
    }

    #[test]
    fn described_words_become_an_enum() {
        let schema = json!({ "description": "How.", "oneOf": [
            { "type": "string", "const": "utf8", "description": "The text." }, { "type": "string", "const": "x" },
        ]});
        let expected = json!({ "type": "string", "enum": ["utf8", "x"], "description": "How.\n\n* `utf8`: The text." });
        assert_eq!(plainly(json!({ "properties": { "a": schema } })), json!({ "properties": { "a": expected } }));
        let union = json!({ "oneOf": [{ "$ref": "#/a" }, { "$ref": "#/b" }] });
        assert_eq!(plainly(union.clone()), union);
    }

    #[test]
    fn at_least_one_of_some_fields_becomes_a_number_of_fields() {
        let schema = |more: Value| {
            let mut schema = json!({ "required": ["a"], "additionalProperties": false });
            schema.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            schema
        };
        let choice = json!({ "anyOf": [{ "required": ["b"] }, { "required": ["c"] }] });
        assert_eq!(plainly(schema(choice)), schema(json!({ "minProperties": 2 })));
        let union = json!({ "anyOf": [{ "$ref": "#/a" }, { "type": "null" }] });
        assert_eq!(plainly(union.clone()), union);
    }

    #[test]
    fn texts_in_several_forms_are_one_text() {
        let address = json!({ "description": "An address.", "anyOf": [
            { "format": "ipv4" }, { "format": "ipv6" },
        ], "type": "string" });
        let host = json!({ "anyOf": [{ "$ref": "#/components/schemas/Address" }, { "type": "string" }] });
        let other = json!({ "anyOf": [{ "$ref": "#/components/schemas/Address" }, { "type": "null" }] });
        let schemas = json!({ "Address": address, "Host": host, "Other": other });
        let mut schemas = schemas.as_object().expect("an object").clone();
        make_plain(&mut schemas);
        assert_eq!(schemas["Address"], json!({ "description": "An address.", "type": "string" }));
        assert_eq!((&schemas["Host"], &schemas["Other"]), (&json!({ "type": "string" }), &other));
    }

    #[test]
    fn items_have_no_positions() {
        let schema = json!({ "type": "array", "prefixItems": [{ "pattern": "^/" }], "items": { "type": "string" } });
        assert_eq!(plainly(schema), json!({ "type": "array", "items": { "type": "string" } }));
    }
}
