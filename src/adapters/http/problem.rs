//! Problems: every refusal as `application/problem+json` (RFC 9457). What a client sent is never sent back.

use std::fmt;

use poem::{
    Error, IntoResponse, Response,
    error::{MethodNotAllowedError, NotFoundError, ParseJsonError, ResponseError},
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    error::{AuthorizationError, ContentTypeError, ParseParamError, ParsePathError},
    payload::Payload,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use uuid::Uuid;

use super::{problem_kind::ProblemKind, request_id::RequestId, wire::Json};
use crate::{
    domain::{FieldError, JobId, TargetError},
    ports::driving::{JobsError, WorkersError},
};

/// Seconds after which a refused client may try again.
const RETRY_AFTER: &str = "1";

/// A refusal, as it is sent (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Problem {
    /// What kind of problem: a URI of a closed list, which `docs/problems.md` explains.
    #[schemars(with = "ProblemType")]
    r#type: &'static str,
    /// What it is, for people; the same for all problems of a type.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// The id of the request, as in `X-Request-Id`.
    request_id: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WrongField>,
    /// The job that it is about, or that may have been stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<Uuid>,
}

/// The URI of a kind of problems.
struct ProblemType;

impl JsonSchema for ProblemType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ProblemType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let uris: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
        json_schema!({
            "type": "string",
            "format": "uri",
            "enum": uris,
            "description": "What kind of problem: programs decide by it.",
        })
    }
}

/// One field that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WrongField {
    /// Its path, such as `operation.data.count`.
    field: String,
    /// What is wrong with it.
    message: String,
}

/// A refusal.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    kind: ProblemKind,
    detail: String,
    errors: Vec<FieldError>,
    job_id: Option<JobId>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), job_id: None, headers: Vec::new() }
    }

    /// What a client may know of a failure that is ours.
    pub(super) fn internal() -> Self {
        Self::new(ProblemKind::Internal, "something went wrong here")
    }

    /// A refusal because of values that cannot be read.
    pub(super) fn values(errors: Vec<FieldError>) -> Self {
        Self::new(ProblemKind::InvalidValue, "a value of the request is wrong").with_errors(errors)
    }

    /// A refusal because of one value that cannot be read.
    pub(super) fn value(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::values(vec![FieldError::new(field, message)])
    }

    /// A refusal because of fields that are wrong.
    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        Self::new(ProblemKind::InvalidFields, "the request has invalid fields").with_errors(errors)
    }

    pub(super) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn about(mut self, job_id: Option<JobId>) -> Self {
        self.job_id = job_id;
        self
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(super) const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What is wrong, and with which fields.
    pub(super) fn into_errors(self) -> (String, Vec<FieldError>) {
        (self.detail, self.errors)
    }

    /// The answer.
    pub(super) fn into_problem(self, id: &RequestId) -> Response {
        let problem = Problem {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail,
            request_id: id.as_str().to_owned(),
            errors: self
                .errors
                .into_iter()
                .map(|error| WrongField { field: error.field, message: error.message })
                .collect(),
            job_id: self.job_id.map(JobId::as_uuid),
        };
        // A problem is made of texts and numbers.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::builder().status(self.kind.status()).content_type(CONTENT_TYPE).body(body);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// The content type of problems.
const CONTENT_TYPE: &str = "application/problem+json";

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.kind.status()
    }
}

/// An answer that is to become a problem: the guard makes it one, who knows the id of the request.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Response::builder().status(self.kind.status()).extension(self).finish()
    }
}

/// A header of an answer, as the document shows it.
pub(super) fn header_of(name: &str, description: &str, required: bool) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    }
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: CONTENT_TYPE, schema: Json::<Problem>::schema_ref() }];
        let description = "A refusal (RFC 9457)";
        let headers = vec![
            header_of("Allow", "With 405: the methods that the path knows", false),
            header_of("Retry-After", "With some of 503: seconds after which it may be tried again", false),
            header_of("WWW-Authenticate", "With 401: what is wrong with the token (RFC 6750)", false),
        ];
        MetaResponses {
            responses: vec![MetaResponse { description, status: None, status_range: None, content, headers }],
        }
    }

    fn register(registry: &mut Registry) {
        <Json<Problem> as Payload>::register(registry);
    }
}

impl From<JobsError> for ApiError {
    fn from(error: JobsError) -> Self {
        let words = error.to_string();
        match error {
            JobsError::Invalid(errors) => Self::new(ProblemKind::InvalidFields, words).with_errors(errors),
            JobsError::Target(error) => {
                let kind = match error {
                    TargetError::NoMatch => ProblemKind::NoMatchingWorker,
                    TargetError::CommandsDisabled => ProblemKind::CommandsDisabled,
                };
                Self::new(kind, words).with_errors(vec![FieldError::new("target", error.to_string())])
            }
            JobsError::Forbidden(_) => Self::new(ProblemKind::MissingRole, words),
            JobsError::NotFound => Self::new(ProblemKind::NoSuchJob, words),
            JobsError::TooLarge => Self::new(ProblemKind::JobTooLarge, words),
            JobsError::Conflict(_) => Self::new(ProblemKind::Conflict, words),
            JobsError::KeyReused => Self::new(ProblemKind::KeyReused, words)
                .with_errors(vec![FieldError::new("Idempotency-Key", "it was used for another request")]),
            JobsError::Deleted(id) => Self::new(ProblemKind::Deleted, words).about(Some(id)),
            JobsError::QueueFull => later(ProblemKind::QueueFull, words),
            JobsError::Unavailable { job_id } => later(ProblemKind::QueueUnavailable, words).about(job_id),
            JobsError::StorageFull => Self::new(ProblemKind::StorageFull, words),
            JobsError::Corrupt => Self::new(ProblemKind::CorruptRecord, words),
        }
    }
}

impl From<WorkersError> for ApiError {
    fn from(error: WorkersError) -> Self {
        let words = error.to_string();
        match error {
            WorkersError::NotFound => Self::new(ProblemKind::NoSuchWorker, words),
            WorkersError::Unavailable => later(ProblemKind::RegistryUnavailable, words),
            WorkersError::StorageFull => Self::new(ProblemKind::StorageFull, words),
        }
    }
}

fn later(kind: ProblemKind, words: String) -> ApiError {
    ApiError::new(kind, words).with_header(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER))
}

/// What an error of the framework means. `parameters` are the names of the route's path parameters, which the
/// framework knows by number.
pub(super) fn refusal(error: Error, parameters: &[String]) -> ApiError {
    let error = match error.downcast::<ApiError>() {
        Ok(own) => return own,
        Err(error) => error,
    };
    // The framework puts names of types around our words.
    let named = |field: &str, reason: &str| {
        let words = reason.split_once("\": ").map_or(reason, |(_, words)| words);
        let words = words.rsplit_once(" (occurred while parsing ").map_or(words, |(words, _)| words);
        ApiError::value(field, words)
    };
    if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        return named(name, reason);
    }
    if let Some(ParsePathError { name, reason }) = error.downcast_ref() {
        let number = name.strip_prefix("param").and_then(|number| number.parse::<usize>().ok());
        return named(number.and_then(|number| parameters.get(number)).map_or(name, |name| name), reason);
    }
    if error.is::<ContentTypeError>() {
        return ApiError::new(ProblemKind::UnsupportedMediaType, "expected the content type application/json");
    }
    if error.is::<NotFoundError>() {
        return ApiError::new(ProblemKind::NoSuchPath, "there is nothing at this path");
    }
    if error.is::<MethodNotAllowedError>() {
        return ApiError::new(ProblemKind::MethodNotAllowed, "the path does not know this method");
    }
    if error.is::<AuthorizationError>() {
        return ApiError::new(ProblemKind::NoToken, "a token is needed");
    }
    if error.is::<ParseJsonError>() || error.status().is_client_error() {
        return ApiError::new(ProblemKind::MalformedRequest, "the request cannot be read");
    }
    tracing::error!(%error, "a request failed");
    ApiError::internal()
}
