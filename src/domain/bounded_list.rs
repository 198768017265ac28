//! Lists with a length that their type limits.

use std::{fmt, marker::PhantomData, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, SeqAccess},
};

/// From `MIN` to `MAX` items; one that is there already is left out. Reading a longer list stops behind the last
/// allowed item, and the schema says the limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct BoundedList<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> Deref for BoundedList<T, MIN, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + PartialEq, const MIN: usize, const MAX: usize> Deserialize<'de>
    for BoundedList<T, MIN, MAX>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

struct Visitor<T, const MIN: usize, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + PartialEq, const MIN: usize, const MAX: usize> de::Visitor<'de>
    for Visitor<T, MIN, MAX>
{
    type Value = BoundedList<T, MIN, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {MIN} to {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        let mut length = 0;
        while length < MAX
            && let Some(item) = items.next_element()?
        {
            length += 1;
            if !list.contains(&item) {
                list.push(item);
            }
        }
        let too_long = length == MAX && items.next_element::<IgnoredAny>()?.is_some();
        if too_long || length < MIN {
            return Err(de::Error::custom(format_args!("expected {}", &self as &dyn de::Expected)));
        }
        Ok(BoundedList(list))
    }
}

impl<T: JsonSchema, const MIN: usize, const MAX: usize> JsonSchema for BoundedList<T, MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}List{MIN}To{MAX}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<T>(),
            "minItems": MIN,
            "maxItems": MAX,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<u8>, String> {
        serde_json::from_str::<BoundedList<u8, 1, 3>>(json).map(|list| list.0).map_err(|error| error.to_string())
    }

    #[test]
    fn lists_within_the_limits_are_kept_in_their_order() {
        assert_eq!(read("[3]"), Ok(vec![3]));
        assert_eq!(read("[3,1,2]"), Ok(vec![3, 1, 2]));
        assert_eq!(read("[3,3,1]"), Ok(vec![3, 1]));
    }

    #[test]
    fn lists_outside_of_the_limits_are_told_what_is_allowed() {
        let endless = format!("[{}", "1,".repeat(10_000));
        for json in ["[]", "[1,2,3,4]", "[1,1,1,1]", "7", "\"1\"", "null", &endless] {
            let refused = read(json).expect_err(json);
            assert!(refused.contains("a list of 1 to 3 items"), "{refused}");
        }
    }
}
