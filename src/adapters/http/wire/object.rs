//! Objects in bodies: read strictly, and when one is wrong, the fields that are wrong, in words of ours alone.

use std::marker::PhantomData;

use schemars::{
    JsonSchema,
    generate::{Contract, SchemaSettings},
};
use serde::{Deserialize, de::DeserializeSeed};
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment, Track};

use super::fields::{mistakes, required};
use crate::{
    adapters::http::{problem::ApiError, problem_kind::ProblemKind},
    domain::FieldError,
};

/// Reads the object that a whole body is.
pub(super) fn read_body<T: JsonSchema + for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, ApiError> {
    check_json(bytes)?;
    read_object(bytes, "", PhantomData::<T>, PhantomData::<T>, required_of::<T>).map_err(ApiError::fields)
}

/// The names of the fields that must be there.
pub(super) fn required_of<T: JsonSchema>() -> Vec<String> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.contract = Contract::Deserialize;
    required(&settings.into_generator().into_root_schema_for::<T>())
}

/// Reads the object that stands at `place` in the request: `seed` is what it shall become, a type's `PhantomData` where
/// nothing more is to be known. `check` reads the same fields and keeps nothing of them; `required` are the names of those
/// that must be there. The bytes are JSON.
pub(super) fn read_object<'a, S, C>(
    bytes: &'a [u8],
    place: &str,
    seed: S,
    check: C,
    required: impl FnOnce() -> Vec<String>,
) -> Result<S::Value, Vec<FieldError>>
where
    S: DeserializeSeed<'a>,
    C: for<'b> DeserializeSeed<'b> + Copy,
{
    // What is derived would also take a list of the values of an object's fields.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(vec![invalid(place, "expected an object")]);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    if let Ok(value) = seed.deserialize(&mut deserializer) {
        return Ok(value);
    }
    // Now there is time to find out what is wrong, and where.
    let mistakes = mistakes(bytes, place, check, &required());
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Err(first_mistake(bytes, place, check).map(Reading::into_error).into_iter().collect())
}

/// That a body is JSON.
pub(super) fn check_json(bytes: &[u8]) -> Result<(), ApiError> {
    let words = |error: serde_json::Error| {
        format!("the body is not valid JSON, at line {} column {}", error.line(), error.column())
    };
    let read = serde_json::from_slice::<&RawValue>(bytes);
    read.map(drop).map_err(|error| ApiError::new(ProblemKind::MalformedBody, words(error)))
}

/// What stopped the reading of an object.
pub(super) enum Reading {
    /// A field is wrong.
    Wrong(FieldError),
    /// A field of the object itself is not known.
    Unknown(FieldError),
    /// A field of the object itself is missing.
    Missing(FieldError),
    /// The fields do not go together.
    Whole(FieldError),
}

impl Reading {
    fn into_error(self) -> FieldError {
        match self {
            Self::Wrong(error) | Self::Unknown(error) | Self::Missing(error) | Self::Whole(error) => error,
        }
    }
}

/// The first mistake of the object at `place`; none when it can be read.
pub(super) fn first_mistake<'a, S: DeserializeSeed<'a>>(bytes: &'a [u8], place: &str, seed: S) -> Option<Reading> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    let read = seed.deserialize(serde_path_to_error::Deserializer::new(&mut deserializer, &mut track));
    read.err().map(|error| reading(&error, place, &track.path()))
}

fn invalid(field: &str, message: impl Into<String>) -> FieldError {
    FieldError::new(if field.is_empty() { "body" } else { field }, message)
}

/// What an error in the object at `place` says.
fn reading(error: &serde_json::Error, place: &str, path: &Path) -> Reading {
    let said = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let said = said.strip_suffix(&position).unwrap_or(&said);
    let (about, message) =
        if error.is_data() { explain(said) } else { (About::Path, "the value cannot be read".to_owned()) };
    let mut segments: Vec<Segment> = path.iter().cloned().collect();
    let kind = match (&about, segments.len()) {
        (About::Missing(_), 0) => Reading::Missing,
        (About::Path, 0) => Reading::Whole,
        (About::Unknown, 1) => Reading::Unknown,
        _ => Reading::Wrong,
    };
    match about {
        About::Path => {}
        About::Missing(name) | About::Twice(name) => segments.push(Segment::Map { key: name.to_owned() }),
        About::Unknown if segments.last().is_some_and(looks_like_a_field) => {}
        About::Unknown => drop(segments.pop()),
    }
    let mut field = place.to_owned();
    for segment in segments {
        let separator = if field.is_empty() || matches!(segment, Segment::Seq { .. }) { "" } else { "." };
        field = format!("{field}{separator}{segment}");
    }
    kind(invalid(&field, message))
}

/// What an error is about, seen from the path where it was found.
enum About<'a> {
    Path,
    /// A field below it that is missing, by its name.
    Missing(&'a str),
    /// A field below it that is there twice, by its name.
    Twice(&'a str),
    /// A field that is none: the last name of the path is one that the client made up.
    Unknown,
}

/// Longest name of a field that is worth repeating.
const LONGEST_NAME: usize = 40;

/// Whether a name could be one of ours, misspelled. Only such a name is said back, to help find it; anything else that a
/// client makes up is not, and what it is part of is named instead.
fn looks_like_a_field(segment: &Segment) -> bool {
    let Segment::Map { key } = segment else { return false };
    may_be_repeated(key)
}

/// Whether a name that a client made up is said back: it could be one of ours, misspelled.
pub(in crate::adapters::http) fn may_be_repeated(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// What is wrong, in words of ours. `serde` says the client's too: values, and the names of fields that are none.
fn explain(said: &str) -> (About<'_>, String) {
    // What is expected comes last and is ours, whatever the client wrote before it.
    let expected = || said.rsplit_once(", expected ").map_or("none", |(_, expected)| expected);
    if let Some(rest) = said.strip_prefix("missing field `") {
        return (name_in(rest).map_or(About::Path, About::Missing), "it is missing".to_owned());
    }
    if let Some(rest) = said.strip_prefix("duplicate field `") {
        return (name_in(rest).map_or(About::Path, About::Twice), "it is there twice".to_owned());
    }
    if said.starts_with("unknown field `") {
        let expected = if said.ends_with(", there are no fields") { "none" } else { expected() };
        return (About::Unknown, format!("unknown field, expected {}", expected.replace('`', "")));
    }
    let of_serde = ["unknown variant `", "invalid type: ", "invalid value: ", "invalid length "];
    if of_serde.iter().any(|beginning| said.starts_with(beginning)) {
        return (About::Path, format!("expected {}", plain(expected()).replace('`', "")));
    }
    (About::Path, said.to_owned())
}

fn name_in(rest: &str) -> Option<&str> {
    rest.split_once('`').map(|(name, _)| name)
}

/// What `serde` expects, in words that do not need Rust.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading them matters")]
    struct Sample {
        count: u8,
        hosts: Vec<Host>,
        #[serde(default)]
        level: Level,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading them matters")]
    struct Host {
        name: String,
    }

    #[derive(Debug, Default, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Level {
        #[default]
        Low,
        High,
    }

    #[test]
    fn the_field_is_named_and_the_clients_words_are_not() {
        // The first mistake: the next test is about all of them.
        let read = |text: &str| {
            let error = first_mistake(text.as_bytes(), "place", PhantomData::<Sample>).expect("wrong").into_error();
            (error.field, error.message)
        };
        let seven = r#""count":7"#;
        for (text, field, message) in [
            (r#"{"hosts":[]}"#.to_owned(), "place.count", "it is missing"),
            (r#"{"count":256}"#.to_owned(), "place.count", "expected a whole number, 0 or more"),
            (r#"{"count":"secret"}"#.to_owned(), "place.count", "expected a whole number, 0 or more"),
            (r#"{"count":", expected secret"}"#.to_owned(), "place.count", "expected a whole number, 0 or more"),
            (r#"{"count":" at line 1 column 2"}"#.to_owned(), "place.count", "expected a whole number, 0 or more"),
            (format!(r#"{{{seven},"hosts":{{}}}}"#), "place.hosts", "expected a list"),
            (
                format!(r#"{{{seven},"hosts":[{{"name":"a"}},{{"name":5}}]}}"#),
                "place.hosts[1].name",
                "expected a string",
            ),
            (format!(r#"{{{seven},"hosts":["secret"]}}"#), "place.hosts[0]", "expected an object"),
            (format!(r#"{{{seven},"hosts":[{{}}]}}"#), "place.hosts[0].name", "it is missing"),
            (
                format!(r#"{{{seven},"hosts":[{{"name":"a","secret":1}}]}}"#),
                "place.hosts[0].secret",
                "unknown field, expected name",
            ),
            (r#"{"secret":1}"#.to_owned(), "place.secret", "unknown field, expected one of count, hosts, level"),
            (
                r#"{"a`, there are no fields":1}"#.to_owned(),
                "place",
                "unknown field, expected one of count, hosts, level",
            ),
            (format!(r#"{{{seven},"hosts":[],"level":"secret"}}"#), "place.level", "expected low or high"),
            (format!(r#"{{{seven},"hosts":[],"level":"`, expected secret"}}"#), "place.level", "expected low or high"),
            (format!(r#"{{{seven},"hosts":[],"level":5}}"#), "place.level", "the value cannot be read"),
        ] {
            assert_eq!(read(&text), (field.to_owned(), message.to_owned()), "{text}");
        }
    }

    #[test]
    fn all_fields_that_are_wrong_are_named_together() {
        let read = |text: &str| {
            let sample = PhantomData::<Sample>;
            let read = read_object(text.as_bytes(), "", sample, sample, required_of::<Sample>);
            let errors = read.expect_err("wrong").into_iter();
            errors.map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>()
        };
        let number = "expected a whole number, 0 or more";
        let unknown = "unknown field, expected one of count, hosts, level";
        for (text, expected) in [
            ("{}", vec!["count: it is missing".to_owned(), "hosts: it is missing".to_owned()]),
            (
                r#"{"level":"x","count":-1,"conut":1,"A B":2,"C D":3}"#,
                vec![
                    "level: expected low or high".to_owned(),
                    format!("count: {number}"),
                    format!("conut: {unknown}"),
                    format!("body: {unknown}"),
                    "hosts: it is missing".to_owned(),
                ],
            ),
            (
                r#"{"count":1,"hosts":[{}],"count":2}"#,
                vec!["hosts[0].name: it is missing".to_owned(), "count: it is there twice".to_owned()],
            ),
            (r#"{"count":1,"hosts":[],"count":2}"#, vec!["count: it is there twice".to_owned()]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let many = (0..1000).map(|number| format!(r#""a{number}":1"#)).collect::<Vec<_>>().join(",");
        assert_eq!(read(&format!(r#"{{{many},"count":1,"hosts":[]}}"#)).len(), super::super::fields::MOST_MISTAKES);
    }
}
