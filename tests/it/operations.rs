//! The inputs of operations: what the schemas of the API document allow is what is accepted, and nothing else.

use osapi::domain::operation::{Operation, OperationKind};
use proptest::prelude::*;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// An operation's schema, with the schemas to which it refers.
struct Document {
    schema: Value,
    definitions: Map<String, Value>,
}

fn document(kind: OperationKind) -> Document {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = kind.input_schema(&mut generator).to_value();
    Document { schema, definitions: generator.take_definitions(true) }
}

impl Document {
    fn allows(&self, data: &Value) -> bool {
        self.valid(&self.schema, data)
    }

    /// JSON Schema, as much of it as the document uses. An unknown word is an error of this test.
    fn valid(&self, schema: &Value, data: &Value) -> bool {
        let all = |schemas: &Value| schemas.as_array().unwrap().clone();
        schema.as_object().unwrap().iter().all(|(word, value)| match word.as_str() {
            "description" | "default" => true,
            "$ref" => self.valid(&self.definitions[value.as_str().unwrap().rsplit('/').next().unwrap()], data),
            "anyOf" => all(value).iter().any(|schema| self.valid(schema, data)),
            "not" => !self.valid(value, data),
            "type" => match value {
                Value::Array(types) => types.iter().any(|word| has_type(word, data)),
                word => has_type(word, data),
            },
            // The first items, each by its own schema; `items` is about the rest.
            "prefixItems" => data
                .as_array()
                .is_none_or(|items| all(value).iter().zip(items).all(|(schema, item)| self.valid(schema, item))),
            "required" => all(value).iter().all(|name| data.get(name.as_str().unwrap()).is_some()),
            "properties" => value
                .as_object()
                .unwrap()
                .iter()
                .all(|(name, schema)| data.get(name).is_none_or(|data| self.valid(schema, data))),
            "additionalProperties" => {
                assert_eq!(*value, json!(false));
                let known = schema.get("properties").and_then(Value::as_object);
                data.as_object()
                    .is_none_or(|data| data.keys().all(|name| known.is_some_and(|known| known.contains_key(name))))
            }
            "items" => data.as_array().is_none_or(|items| items.iter().all(|item| self.valid(value, item))),
            "minItems" => data.as_array().is_none_or(|items| items.len() as u64 >= value.as_u64().unwrap()),
            "maxItems" => data.as_array().is_none_or(|items| items.len() as u64 <= value.as_u64().unwrap()),
            "minimum" => data.as_f64().is_none_or(|number| number >= value.as_f64().unwrap()),
            "maximum" => data.as_f64().is_none_or(|number| number <= value.as_f64().unwrap()),
            "maxLength" => data.as_str().is_none_or(|text| text.chars().count() as u64 <= value.as_u64().unwrap()),
            "pattern" => {
                let pattern = regex::Regex::new(value.as_str().unwrap()).unwrap();
                data.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "format" => data.as_str().is_none_or(|text| match value.as_str().unwrap() {
                "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
                "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
                // Its pattern says it.
                "hostname" => true,
                other => panic!("{other}"),
            }),
            other => panic!("this test does not know the word {other}"),
        })
    }
}

fn has_type(word: &Value, data: &Value) -> bool {
    match word.as_str().unwrap() {
        "object" => data.is_object(),
        "array" => data.is_array(),
        "string" => data.is_string(),
        "null" => data.is_null(),
        "integer" => data.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("{other}"),
    }
}

fn accepted(kind: OperationKind, data: &Value) -> bool {
    let text = data.to_string();
    Operation::deserialize(kind, &mut serde_json::Deserializer::from_str(&text)).is_ok()
}

fn text() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        4 => Just("eth0"), 2 => Just("/bin/true"), 1 => Just("eth0.100"), 1 => Just("-h"), 1 => Just(".."), 1 => Just("..."), 1 => Just("a b"),
        1 => Just("sixteen-and-more"), 4 => Just("192.0.2.1"), 1 => Just("2001:db8::1"), 1 => Just("fe80::1%eth0"),
        1 => Just("fe80::1%-h"), 1 => Just("192.0.2.1%eth0"), 1 => Just("1.2.3"), 4 => Just("example.com"),
        1 => Just("~example.com."), 1 => Just("~."), 1 => Just("."), 1 => Just("a_b"), 1 => Just("0x7f"), 1 => Just(""),
    ];
    prop_oneof![texts.prop_map(|text| json!(text)), "(?s).{0,3}".prop_map(|text| json!(text))]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-1_i64..33).prop_map(|number| json!(number)),
        (0_i64..33).prop_map(|number| json!(f64::from(i32::try_from(number).unwrap()))),
        any::<u64>().prop_map(|number| json!(number)),
        Just(json!(2.5)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let odd = prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!({}))];
    let length = prop_oneof![3 => 0_usize..4, 1 => 15_usize..18, 1 => 31_usize..34];
    let list = (text(), text(), length, 0_usize..40).prop_map(|(first, other, length, at)| {
        Value::Array((0..length).map(|index| if index == at { other.clone() } else { first.clone() }).collect())
    });
    prop_oneof![4 => text(), 3 => list, 2 => number(), 1 => odd]
}

fn data() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        3 => Just("interface"), 2 => Just("servers"), 2 => Just("search_domains"), 3 => Just("address"), 1 => Just("count"),
        1 => Just("timeout_seconds"), 2 => Just("command"), 1 => Just("more"),
    ];
    let fields = prop::collection::vec((name, value()), 0..4);
    // Half of them begin as something that is right.
    let right = prop_oneof![
        2 => Just(json!({})),
        1 => Just(json!({ "interface": "eth0" })),
        1 => Just(json!({ "interface": "eth0", "servers": ["::1"] })),
        1 => Just(json!({ "address": "host" })),
        1 => Just(json!({ "command": ["/bin/echo", "a b"] })),
    ];
    (right, fields).prop_map(|(mut data, fields)| {
        for (name, value) in fields {
            data[name] = value;
        }
        data
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_document_allows_what_is_accepted(data in data()) {
        for kind in OperationKind::ALL {
            let document = document(kind);
            prop_assert_eq!(document.allows(&data), accepted(kind, &data), "{} {}", kind.name(), data);
        }
    }
}

#[test]
fn the_document_allows_the_inputs_of_every_day() {
    for (name, data) in [
        ("node.disk.get", json!({})),
        ("network.dns.get", json!({ "interface": "eth0" })),
        ("network.dns.update", json!({ "interface": "eth0", "servers": ["192.0.2.1"] })),
        ("network.dns.update", json!({ "interface": "eth0", "search_domains": [] })),
        ("network.ping", json!({ "address": "192.0.2.1" })),
        ("command.exec", json!({ "command": ["/bin/echo", "$HOME"], "timeout_seconds": 3600 })),
        ("network.ping", json!({ "address": "web-1.example", "count": 20, "timeout_seconds": 30 })),
    ] {
        let kind = OperationKind::from_name(name).unwrap();
        assert!(document(kind).allows(&data) && accepted(kind, &data), "{name} {data}");
    }
}
