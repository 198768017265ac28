//! Operations and their results in the document: a discriminated union, made from the table of the domain.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use crate::domain::{Operation, OperationKind};

/// An operation as it is shown: `{"type", "data"?}`.
#[derive(Debug)]
pub(super) struct ShownOperation(pub(super) Operation);

impl Serialize for ShownOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.0.kind().name())?;
        if let Some(data) = self.0.data().map_err(serde::ser::Error::custom)? {
            map.serialize_entry("data", &data)?;
        }
        map.end()
    }
}

impl JsonSchema for ShownOperation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Operation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut mapping = serde_json::Map::new();
        let mut variants = Vec::new();
        for kind in OperationKind::ALL {
            let reference = format!("#/components/schemas/{}", kind.type_name());
            let input = kind.input_schema(generator);
            let needs_data = input.get("required").and_then(Value::as_array).is_some_and(|fields| !fields.is_empty());
            let required = if needs_data { json!(["type", "data"]) } else { json!(["type"]) };
            let schema = json_schema!({
                "type": "object",
                "description": kind.summary(),
                "properties": { "type": { "type": "string", "enum": [kind.name()] }, "data": input },
                "required": required,
                "additionalProperties": false,
                "x-effect": kind.effect().as_str(),
            });
            generator.definitions_mut().insert(kind.type_name().to_owned(), schema.to_value());
            mapping.insert(kind.name().to_owned(), json!(reference));
            variants.push(json!({ "$ref": reference }));
        }
        json_schema!({
            "description": "What to do.",
            "oneOf": variants,
            "discriminator": { "propertyName": "type", "mapping": mapping },
        })
    }
}

/// A reference to the union.
pub(super) fn operation_schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<ShownOperation>()
}

/// The schemas of the results of all operations, by the name of the operation.
pub(super) fn insert_result_schemas(generator: &mut SchemaGenerator) {
    for kind in OperationKind::ALL {
        let mut schema = kind.output_schema(generator);
        schema.insert("description".to_owned(), json!(format!("The result of `{}`.", kind.name())));
        generator.definitions_mut().insert(result_name(kind), schema.to_value());
    }
}

fn result_name(kind: OperationKind) -> String {
    format!("{}Result", kind.type_name())
}

/// A reference to the schema of an operation's result.
pub(super) fn result_reference(kind: OperationKind) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", result_name(kind)) })
}
