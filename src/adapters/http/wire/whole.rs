//! Whole numbers of bodies, as JSON Schema understands them: `30`, `30.0` and `3e1` are the same one.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A whole number, 0 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(pub(super) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Whatever it is comes to the visitor.
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, 0 or more")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        // Written out, a whole number has no fraction, and one that is too large does not fit. The sum is no -0.
        let whole = (number.fract() == 0.0).then(|| format!("{:.0}", number + 0.0).parse().ok()).flatten();
        whole.map(Whole).ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_fraction_is_whole_however_it_is_written() {
        for (json, expected) in [
            ("30", 30),
            ("30.0", 30),
            ("3e1", 30),
            ("3.0E+1", 30),
            ("300e-1", 30),
            ("0", 0),
            ("-0.0", 0),
            ("1e19", 10_000_000_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(serde_json::from_str::<Whole>(json).expect(json), Whole(expected), "{json}");
        }
    }

    #[test]
    fn everything_else_is_told_what_is_expected() {
        for json in ["30.5", "3e-1", "-1", "-1.0", "1e20", "1e300", "\"30\"", "true", "null", "[]", "{}"] {
            let refused = serde_json::from_str::<Whole>(json).expect_err(json).to_string();
            assert!(refused.contains("expected a whole number, 0 or more"), "{json}: {refused}");
        }
    }
}
