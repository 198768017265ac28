//! Values of paths, queries and headers: read strictly, described in the document, never echoed.

use std::{borrow::Cow, time::Duration};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromParameter, ParseResult, Type},
};

use crate::domain::{Hostname, IdempotencyKey, InterfaceName, JobId, JobStatus, OperationKind, Target, interface_name};

/// Longest time that a request may ask to wait.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What is wrong with a parameter that is given several times.
pub(super) const TWICE: &str = "it is there more than once";

/// A value that can be read from text.
pub(super) trait Word: Sized + Send + Sync {
    /// Its schema.
    fn schema() -> MetaSchema;

    /// Reads it; the error says what is expected.
    fn read(text: &str) -> Result<Self, String>;
}

/// A parameter.
#[derive(Debug, Clone)]
pub(super) struct Parameter<T>(pub(super) T);

impl<T: Word> Type for Parameter<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "parameter".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(T::schema()))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: Word> ParseFromParameter for Parameter<T> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        T::read(value).map(Self).map_err(ParseError::custom)
    }

    /// The first of several would be a guess at what was meant.
    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(values: I) -> ParseResult<Self> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Self::parse_from_parameter(value.as_ref()),
            (Some(_), Some(_)) => Err(ParseError::custom(TWICE)),
            (None, _) => Err(ParseError::custom("it is missing")),
        }
    }
}

fn one_of(words: impl Iterator<Item = &'static str>) -> MetaSchema {
    MetaSchema { enum_items: words.map(Into::into).collect(), ..MetaSchema::new("string") }
}

impl Word for JobStatus {
    fn schema() -> MetaSchema {
        one_of(Self::ALL.into_iter().map(Self::as_str))
    }

    fn read(text: &str) -> Result<Self, String> {
        Self::from_word(text).ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl Word for OperationKind {
    fn schema() -> MetaSchema {
        one_of(Self::ALL.into_iter().map(Self::name))
    }

    fn read(text: &str) -> Result<Self, String> {
        Self::from_name(text).map_err(|error| error.to_string())
    }
}

impl Word for Target {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some(Self::PATTERN.to_owned()), ..MetaSchema::new("string") }
    }

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: crate::domain::target::InvalidTarget| error.to_string())
    }
}

impl Word for Hostname {
    fn schema() -> MetaSchema {
        let pattern = Some(Self::PATTERN.to_owned());
        MetaSchema { pattern, max_length: Some(253), ..MetaSchema::new("string") }
    }

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected a hostname".to_owned())
    }
}

impl Word for InterfaceName {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some(interface_name::PATTERN.to_owned()), ..MetaSchema::new("string") }
    }

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: interface_name::InvalidInterfaceName| error.to_string())
    }
}

impl Word for JobId {
    fn schema() -> MetaSchema {
        let pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
        MetaSchema { pattern: Some(pattern.to_owned()), ..MetaSchema::new_with_format("string", "uuid") }
    }

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected the id of a job, a UUID of version 7".to_owned())
    }
}

/// Where a page starts, as the page before said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor(pub(super) JobId);

impl Word for Cursor {
    fn schema() -> MetaSchema {
        let pattern = "^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$";
        MetaSchema { pattern: Some(pattern.to_owned()), ..MetaSchema::new("string") }
    }

    fn read(text: &str) -> Result<Self, String> {
        let foreign = || "expected the next_cursor of a page".to_owned();
        if text.len() != 32 {
            return Err(foreign());
        }
        let id = uuid::Uuid::try_parse(text).ok().and_then(|id| JobId::try_from(id).ok());
        id.map(Self).ok_or_else(foreign)
    }
}

/// How many jobs a page may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(pub(super) u32);

impl Word for Limit {
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(1.0), maximum: Some(100.0), default: Some(20.into()), ..MetaSchema::new("integer") }
    }

    fn read(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (1..=100).contains(number));
        number.map(Self).ok_or_else(|| "expected a whole number from 1 to 100".to_owned())
    }
}

/// How long a typed call may be held back for the end of its job, in seconds: `?wait=`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait(pub(super) Duration);

impl Default for Wait {
    fn default() -> Self {
        Self(Duration::from_secs(30))
    }
}

impl Word for Wait {
    fn schema() -> MetaSchema {
        MetaSchema { minimum: Some(0.0), maximum: Some(60.0), default: Some(30.into()), ..MetaSchema::new("integer") }
    }

    fn read(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let wait = seconds.map(Duration::from_secs).filter(|wait| *wait <= LONGEST_WAIT);
        wait.map(Self).ok_or_else(|| "expected a whole number of seconds from 0 to 60".to_owned())
    }
}

impl Word for IdempotencyKey {
    fn schema() -> MetaSchema {
        let pattern = Some("^[!-~]+$".to_owned());
        MetaSchema { min_length: Some(1), max_length: Some(255), pattern, ..MetaSchema::new("string") }
    }

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: crate::domain::idempotency::InvalidIdempotencyKey| error.to_string())
    }
}
