//! The `Prefer` header (RFC 7240). Of all preferences, `wait` is the one that is known; what is not understood is ignored.

use std::{borrow::Cow, time::Duration};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseFromParameter, ParseResult, Type},
};

use super::parameters::LONGEST_WAIT;

/// What a client prefers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prefer {
    /// How long the answer may be held back, if the client says. More than a minute is a minute.
    pub(super) wait: Option<Duration>,
}

impl Prefer {
    /// Reads all lines of the header.
    pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        // The first preference of a name counts (RFC 7240 §2).
        let mut preferences = lines.into_iter().flat_map(|line| split(line, ','));
        let wait = preferences.find_map(|preference| {
            let parts = split(preference, ';');
            let (name, value) = parts[0].split_once('=').unwrap_or((parts[0], ""));
            name.trim().eq_ignore_ascii_case("wait").then(|| unquoted(value.trim()))
        });
        Self { wait: wait.and_then(|seconds| seconds_of(&seconds)) }
    }

    /// The value of `Preference-Applied` when the preference was honoured.
    pub(super) fn applied(self) -> Option<String> {
        self.wait.map(|wait| format!("wait={}", wait.as_secs()))
    }
}

fn seconds_of(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT))
}

/// The parts between separators, of which those in quoted strings are none (RFC 9110 §5.6.4).
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A token as it is, and a quoted string without its quotes and escapes.
fn unquoted(word: &str) -> Cow<'_, str> {
    let Some(inner) = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return word.into() };
    let mut characters = inner.chars();
    let mut plain = String::with_capacity(inner.len());
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain.into()
}

impl Type for Prefer {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "prefer".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema { example: Some("wait=10".into()), ..MetaSchema::new("string") }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromParameter for Prefer {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self::read([value]))
    }

    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(lines: I) -> ParseResult<Self> {
        let lines: Vec<A> = lines.into_iter().collect();
        Ok(Self::read(lines.iter().map(AsRef::as_ref)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(lines: &[&str]) -> Option<u64> {
        Prefer::read(lines.iter().copied()).wait.map(|wait| wait.as_secs())
    }

    #[test]
    fn a_preference_to_wait_is_found_among_others() {
        for (lines, expected) in [
            (&["wait=5"][..], 5),
            (&["wait=0"], 0),
            (&["respond-async, Wait=\"7\""], 7),
            (&["handling=lenient", "wait=9;x=1"], 9),
            (&["wait = 9 ; x=\"a,b;c\" , return=minimal"], 9),
            (&["foo=\"bar, wait=1\", wait=8"], 8),
            (&["foo=\"\\\", wait=1\", wait=8"], 8),
            (&["foo; wait=1, wait=8"], 8),
            (&["wait=\"\\7\""], 7),
            (&["wait=3, wait=8"], 3),
            (&[",, ,wait=4,"], 4),
            (&["wait=61"], 60),
            (&["wait=99999999999999999999999"], 60),
        ] {
            assert_eq!(wait(lines), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for lines in [
            &[][..],
            &["wait=abc"],
            &["wait=-1"],
            &["wait="],
            &["wait"],
            &["wait=1.5"],
            &["wait=\"5"],
            &["wait=abc, wait=5"],
            &["foo=\"wait=5"],
            &["waiting=5"],
            &["="],
            &["\""],
            &["\\"],
        ] {
            assert_eq!(wait(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn what_was_applied_is_said_as_it_was_applied() {
        assert_eq!(Prefer::read(["wait=\"61\""]).applied().as_deref(), Some("wait=60"));
        assert_eq!(Prefer::read(["respond-async"]).applied(), None);
    }
}
