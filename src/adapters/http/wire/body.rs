//! JSON bodies of requests: what cannot be read is 400, what is wrong is 422 and names its field.

use poem::{FromRequest, Request, RequestBody, Result, http::StatusCode};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use schemars::JsonSchema;

use crate::adapters::http::problem::ApiError;

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
        if bytes.is_empty()
            && let Some(absent) = T::absent()
        {
            return Ok(Self(absent));
        }
        if !request.content_type().is_some_and(is_json) {
            let words = "expected the content type application/json";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words).into());
        }
        Ok(Self(T::read(&bytes)?))
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
