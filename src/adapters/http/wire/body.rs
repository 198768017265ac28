//! JSON bodies of requests: what cannot be read is 400, what is wrong is 422 and names its field.

use poem::{
    FromRequest, Request, RequestBody, Result,
    http::{HeaderMap, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use schemars::JsonSchema;

use super::{NewJob, NewRetry, node_bodies::DnsChangeBody};
use crate::{
    adapters::http::{problem::ApiError, problem_kind::ProblemKind},
    domain::operation::{command_exec::CommandInput, network_ping::Ping},
};

/// What can be read from a body.
pub(in crate::adapters::http) trait ReadBody: JsonSchema + Sized + Send {
    /// What an absent body means; none when it is needed.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads the bytes.
    fn read(bytes: &[u8]) -> Result<Self, ApiError>;
}

/// The body of a request.
pub(in crate::adapters::http) struct Body<T>(pub(in crate::adapters::http) T);

impl<T: ReadBody> Payload for Body<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(T::schema_name().into_owned())
    }

    fn register(registry: &mut Registry) {
        registry.schemas.entry(T::schema_name().into_owned()).or_insert_with(|| MetaSchema::new("object"));
    }
}

impl<'a, T: ReadBody> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }];
        Some(MetaRequest { description: None, content, required: T::absent().is_none() })
    }

    async fn from_request(request: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        Ok(Self(read(request.headers(), &bytes)?))
    }
}

/// Looks at a body without keeping anything of it: the refusal, if it is wrong.
pub(in crate::adapters::http) type BodyCheck = fn(&HeaderMap, &[u8]) -> Option<ApiError>;

/// The check of the bodies whose schema has this name.
pub(in crate::adapters::http) fn body_check(schema: &str) -> Option<BodyCheck> {
    fn check<T: ReadBody>(headers: &HeaderMap, bytes: &[u8]) -> Option<ApiError> {
        read::<T>(headers, bytes).err()
    }
    macro_rules! checks {
        ($($body:ty),+) => {
            [$((<$body>::schema_name(), check::<$body> as BodyCheck)),+]
        };
    }
    let checks = checks!(NewJob, NewRetry, CommandInput, Ping, DnsChangeBody);
    checks.into_iter().find(|(name, _)| name == schema).map(|(_, check)| check)
}

fn read<T: ReadBody>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty()
        && let Some(absent) = T::absent()
    {
        return Ok(absent);
    }
    let text = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    if !text(header::CONTENT_ENCODING).all(|coding| coding.trim().eq_ignore_ascii_case("identity")) {
        let words = "expected a body without a content coding";
        return Err(ApiError::new(ProblemKind::UnsupportedMediaType, words));
    }
    if !text(header::CONTENT_TYPE).next().is_some_and(is_json) {
        let words = "expected the content type application/json";
        return Err(ApiError::new(ProblemKind::UnsupportedMediaType, words));
    }
    T::read(bytes)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
