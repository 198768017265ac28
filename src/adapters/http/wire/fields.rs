//! Finds every field of an object that is wrong, for an object that could not be read.
//!
//! What `serde` derives stops at the first mistake. So each field is read in an object of its own: what is wrong with it
//! shows, and that the others are missing does not count.

use std::{borrow::Cow, collections::HashSet, fmt};

use schemars::Schema;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::object::{Reading, first_mistake};
use crate::domain::FieldError;

/// Mistakes that are told, at most: a problem does not grow with the request.
pub(super) const MOST_MISTAKES: usize = 32;

/// The names of the fields that a schema asks for.
pub(super) fn required(schema: &Schema) -> Vec<String> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Every field that is wrong in the object at `place`. None where no field alone is.
pub(super) fn mistakes<C>(bytes: &[u8], place: &str, check: C, required: &[String]) -> Vec<FieldError>
where
    C: for<'a> DeserializeSeed<'a> + Copy,
{
    let Ok(Members(members)) = serde_json::from_slice::<Members<'_>>(bytes) else { return Vec::new() };
    let mut found: Vec<FieldError> = Vec::new();
    let mut seen = HashSet::new();
    for (name, value) in &members {
        if found.len() == MOST_MISTAKES {
            return found;
        }
        let alone = object_of(name, value);
        let twice = !seen.insert(name);
        let mistake = match first_mistake(alone.as_bytes(), place, check) {
            Some(Reading::Unknown(error)) => Some(error),
            _ if twice => Some(FieldError::new(member(place, name), "it is there twice")),
            Some(Reading::Wrong(error)) => Some(error),
            // Only another field is missing, or something about the whole.
            Some(Reading::Missing(_) | Reading::Whole(_)) | None => None,
        };
        found.extend(mistake.filter(|mistake| !found.contains(mistake)));
    }
    let missing = required.iter().filter(|name| !members.iter().any(|(given, _)| given == *name));
    found.extend(missing.map(|name| FieldError::new(member(place, name), "it is missing")));
    found
}

/// The path of a member of the object at `place`.
pub(super) fn member(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

fn object_of(name: &str, value: &RawValue) -> String {
    let name = Value::String(name.to_owned());
    format!("{{{name}:{value}}}")
}

/// The members of an object, in their order, with those that are there twice.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}
