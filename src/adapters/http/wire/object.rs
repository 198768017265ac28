//! Objects in bodies: read strictly, and when one is wrong, the field that is wrong, in words of ours alone.

use poem::http::StatusCode;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment, Track};

use crate::{adapters::http::problem::ApiError, domain::FieldError};

/// Reads the object that stands at `place` in the request: `seed` is what it shall become, a type's `PhantomData` where
/// nothing more is to be known.
pub(super) fn read_object<'a, S>(bytes: &'a [u8], place: &str, seed: S) -> Result<S::Value, ApiError>
where
    S: DeserializeSeed<'a> + Copy,
{
    // What is derived would also take a list of the values of an object's fields.
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    if is_object
        && let Ok(value) = seed.deserialize(&mut deserializer)
        && deserializer.end().is_ok()
    {
        return Ok(value);
    }
    // Now there is time to find out what is wrong, and where.
    serde_json::from_slice::<&RawValue>(bytes).map_err(|error| unreadable(&error))?;
    if !is_object {
        return Err(invalid(place, "expected an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    seed.deserialize(serde_path_to_error::Deserializer::new(&mut deserializer, &mut track))
        .map_err(|error| wrong(&error, place, &track.path()))
}

fn unreadable(error: &serde_json::Error) -> ApiError {
    let words = format!("the body is not valid JSON, at line {} column {}", error.line(), error.column());
    ApiError::new(StatusCode::BAD_REQUEST, words)
}

fn invalid(field: &str, message: impl Into<String>) -> ApiError {
    let field = if field.is_empty() { "body" } else { field };
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the request has invalid fields")
        .with_errors(vec![FieldError::new(field, message)])
}

/// The refusal for an error in the object at `place`.
fn wrong(error: &serde_json::Error, place: &str, path: &Path) -> ApiError {
    let said = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let said = said.strip_suffix(&position).unwrap_or(&said);
    let (about, message) =
        if error.is_data() { explain(said) } else { (About::Path, "the value cannot be read".to_owned()) };
    let mut segments: Vec<Segment> = path.iter().cloned().collect();
    match about {
        About::Path => {}
        About::Member(name) => segments.push(Segment::Map { key: name.to_owned() }),
        About::Unknown if segments.last().is_some_and(looks_like_a_field) => {}
        About::Unknown => drop(segments.pop()),
    }
    let mut field = place.to_owned();
    for segment in segments {
        let separator = if field.is_empty() || matches!(segment, Segment::Seq { .. }) { "" } else { "." };
        field = format!("{field}{separator}{segment}");
    }
    invalid(&field, message)
}

/// What an error is about, seen from the path where it was found.
enum About<'a> {
    Path,
    /// A field below it, by its name.
    Member(&'a str),
    /// A field that is none: the last name of the path is one that the client made up.
    Unknown,
}

/// Longest name of a field that is worth repeating.
const LONGEST_NAME: usize = 40;

/// Whether a name could be one of ours, misspelled. Only such a name is said back, to help find it; anything else that a
/// client makes up is not, and what it is part of is named instead.
fn looks_like_a_field(segment: &Segment) -> bool {
    let Segment::Map { key } = segment else { return false };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_NAME).contains(&key.len()) && key.bytes().all(plain)
}

/// What is wrong, in words of ours. `serde` says the client's too: values, and the names of fields that are none.
fn explain(said: &str) -> (About<'_>, String) {
    // What is expected comes last and is ours, whatever the client wrote before it.
    let expected = || said.rsplit_once(", expected ").map_or("none", |(_, expected)| expected);
    if let Some(rest) = said.strip_prefix("missing field `") {
        return (member(rest), "it is missing".to_owned());
    }
    if let Some(rest) = said.strip_prefix("duplicate field `") {
        return (member(rest), "it is there twice".to_owned());
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

fn member(rest: &str) -> About<'_> {
    rest.split_once('`').map_or(About::Path, |(name, _)| About::Member(name))
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

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading them matters")]
    struct Sample {
        count: u8,
        hosts: Vec<Host>,
        #[serde(default)]
        level: Level,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading them matters")]
    struct Host {
        name: String,
    }

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Level {
        #[default]
        Low,
        High,
    }

    #[test]
    fn the_field_is_named_and_the_clients_words_are_not() {
        let read = |text: &str| {
            let error = read_object(text.as_bytes(), "place", std::marker::PhantomData::<Sample>).expect_err("wrong");
            let [error] = error.errors() else { panic!("{error:?}") };
            (error.field.clone(), error.message.clone())
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
}
