//! Whole numbers within a range that their type says.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A whole number from `MIN` to `MAX`. Reading one checks it, and its schema says the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BoundedNumber<const MIN: u16, const MAX: u16>(u16);

impl<const MIN: u16, const MAX: u16> BoundedNumber<MIN, MAX> {
    /// The number, when it is in the range.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number >= MIN && number <= MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl<'de, const MIN: u16, const MAX: u16> Deserialize<'de> for BoundedNumber<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Whatever it is comes to the visitor, whose refusals repeat nothing.
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor<const MIN: u16, const MAX: u16>;

impl<const MIN: u16, const MAX: u16> Visitor<MIN, MAX> {
    fn checked<E: de::Error>(self, number: Option<u16>) -> Result<BoundedNumber<MIN, MAX>, E> {
        let number = number.and_then(BoundedNumber::new);
        number.ok_or_else(|| E::custom(format_args!("expected {}", &self as &dyn de::Expected)))
    }
}

impl<const MIN: u16, const MAX: u16> de::Visitor<'_> for Visitor<MIN, MAX> {
    type Value = BoundedNumber<MIN, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.checked(number.try_into().ok())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.checked(number.try_into().ok())
    }

    /// `3.0` is the whole number 3 (JSON Schema, `integer`).
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        self.checked((MIN..=MAX).find(|whole| f64::from(*whole).to_bits() == number.to_bits()))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        self.checked(None)
    }
}

impl<const MIN: u16, const MAX: u16> JsonSchema for BoundedNumber<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Number{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<u16, String> {
        serde_json::from_str::<BoundedNumber<2, 20>>(json).map(BoundedNumber::get).map_err(|error| error.to_string())
    }

    #[test]
    fn the_edges_of_the_range_are_in_it() {
        assert_eq!((read("2"), read("20"), read("3.0")), (Ok(2), Ok(20), Ok(3)));
    }

    #[test]
    fn everything_else_is_told_what_is_allowed_and_not_repeated() {
        for json in
            ["1", "21", "0", "-3", "2.5", "65538", "99999999999999999999", "1e300", "\"7777\"", "true", "null", "[]"]
        {
            let refused = read(json).expect_err(json);
            assert!(refused.contains("a whole number from 2 to 20"), "{refused}");
            assert!(!refused.contains("7777") && !refused.contains("99999"), "{refused}");
        }
    }
}
