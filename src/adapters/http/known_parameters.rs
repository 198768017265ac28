//! The parameters that a route knows: all that are wrong are found together, and one that is not known is wrong too.

use poem::{Request, http::HeaderMap};
use poem_openapi::registry::{MetaOperation, MetaParamIn};

use super::{
    parameters::{Cursor, Limit, TWICE, Wait, Word},
    problem::ApiError,
    problem_kind::ProblemKind,
    routes::parameters,
    wire::may_be_repeated,
};
use crate::domain::{FieldError, Hostname, IdempotencyKey, InterfaceName, JobId, JobStatus, OperationKind, Target};

/// Reads a value for what is wrong with it.
type Check = fn(&str) -> Result<(), String>;

/// The parameters that a route knows.
#[derive(Default)]
pub(super) struct KnownParameters {
    path: Vec<(String, Check)>,
    query: Vec<(String, Check)>,
    headers: Vec<(String, Check)>,
}

/// What is wrong with the parameters of a request.
#[derive(Default)]
pub(super) struct WrongParameters {
    errors: Vec<FieldError>,
    /// Whether there is one that the route does not know.
    unknown: bool,
}

fn check<T: Word>(text: &str) -> Result<(), String> {
    T::read(text).map(drop)
}

/// The check of the parameters with this name: a name means the same everywhere.
fn check_of(name: &str) -> Option<Check> {
    Some(match name {
        "id" => check::<JobId>,
        "hostname" | "worker" => check::<Hostname>,
        "target" => check::<Target>,
        "interface" => check::<InterfaceName>,
        "status" => check::<JobStatus>,
        "operation" => check::<OperationKind>,
        "limit" => check::<Limit>,
        "cursor" => check::<Cursor>,
        "wait" => check::<Wait>,
        "Idempotency-Key" => check::<IdempotencyKey>,
        // What is not understood of preferences is ignored.
        "Prefer" => |_| Ok(()),
        _ => return None,
    })
}

impl KnownParameters {
    /// Those of an operation that is served at this template.
    ///
    /// # Panics
    /// When one of them is new and has no check; every test of the API would say so.
    pub(super) fn of(operation: &MetaOperation, template: &str) -> Self {
        let of_kind = |kind: MetaParamIn| {
            let named = operation.params.iter().filter(move |parameter| parameter.in_type == kind);
            named.map(|parameter| with_check(&parameter.name)).collect::<Vec<_>>()
        };
        let path = parameters(template).iter().map(|name| with_check(name)).collect();
        let mut headers = of_kind(MetaParamIn::Header);
        headers.retain(|(name, _)| name != "Prefer");
        Self { path, query: of_kind(MetaParamIn::Query), headers }
    }

    /// What is wrong with the parameters of a request; none when nothing is.
    pub(super) fn mistakes(&self, request: &Request) -> Option<WrongParameters> {
        let mut wrong = WrongParameters::default();
        for (number, (name, check)) in self.path.iter().enumerate() {
            let value = request.raw_path_param(&format!("param{number}")).unwrap_or_default();
            wrong.add(name, check(value));
        }
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            let pairs: Vec<(String, String)> = request.params().unwrap_or_default();
            self.query_mistakes(&pairs, &mut wrong);
        }
        for (name, check) in &self.headers {
            wrong.add(name, checked_header(request.headers(), name, *check));
        }
        (!wrong.errors.is_empty()).then_some(wrong)
    }

    fn query_mistakes(&self, pairs: &[(String, String)], wrong: &mut WrongParameters) {
        for (number, (name, value)) in pairs.iter().enumerate() {
            let Some((name, check)) = self.query.iter().find(|(known, _)| known == name) else {
                wrong.add_unknown(name, &self.query);
                continue;
            };
            if pairs[..number].iter().any(|(earlier, _)| earlier == name) {
                continue;
            }
            let twice = pairs[number + 1..].iter().any(|(later, _)| later == name);
            wrong.add(name, if twice { Err(TWICE.to_owned()) } else { check(value) });
        }
    }
}

#[expect(clippy::expect_used, reason = "the parameters are those of the code")]
fn with_check(name: &str) -> (String, Check) {
    (name.to_owned(), check_of(name).expect(name))
}

fn checked_header(headers: &HeaderMap, name: &str, check: Check) -> Result<(), String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(()) };
    // The framework would not see a value that is no text.
    if headers.get_all(name).iter().any(|value| value.to_str().is_err()) {
        return Err("expected visible ASCII characters".to_owned());
    }
    if values.next().is_some() { Err(TWICE.to_owned()) } else { check(value.to_str().unwrap_or_default()) }
}

impl WrongParameters {
    fn add(&mut self, name: &str, checked: Result<(), String>) {
        if let Err(message) = checked {
            self.errors.push(FieldError::new(name, message));
        }
    }

    fn add_unknown(&mut self, name: &str, known: &[(String, Check)]) {
        self.unknown = true;
        let field = if may_be_repeated(name) { name } else { "query" };
        let known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let expected = match known[..] {
            [] => "none".to_owned(),
            [only] => only.to_owned(),
            [first, second] => format!("{first} or {second}"),
            _ => format!("one of {}", known.join(", ")),
        };
        let error = FieldError::new(field, format!("unknown query parameter, expected {expected}"));
        if self.errors.len() < MOST_MISTAKES && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// The refusal, with what is wrong with the body: a mistake that can be read decides the status.
    pub(super) fn refusal(self, of_body: Option<ApiError>) -> ApiError {
        let Self { mut errors, unknown } = self;
        let mut readable = unknown;
        if let Some(of_body) = of_body {
            readable |= of_body.kind() == ProblemKind::InvalidFields;
            let (detail, fields) = of_body.into_errors();
            errors.extend(if fields.is_empty() { vec![FieldError::new("body", detail)] } else { fields });
        }
        if readable { ApiError::fields(errors) } else { ApiError::values(errors) }
    }
}

/// Mistakes that are told, at most: a problem does not grow with the request.
const MOST_MISTAKES: usize = 32;
