//! JSON bodies of requests: what cannot be read is 400, what is wrong is 422 and names its field.

use poem::{FromRequest, Request, RequestBody, Result, http::StatusCode};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry},
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{adapters::http::problem::ApiError, domain::FieldError};

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

/// Reads JSON. When it is wrong it is read once more, to find out where.
pub(super) fn read_json<T: DeserializeOwned>(bytes: &[u8], prefix: &str) -> Result<T, ApiError> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => Err(wrong("", prefix, &error)),
        Err(found) => Err(wrong(&found.path().to_string(), prefix, found.inner())),
    }
}

/// The refusal for an error at a path. The client's words are left out of it.
pub(super) fn wrong(path: &str, prefix: &str, error: &serde_json::Error) -> ApiError {
    if matches!(error.classify(), Category::Syntax | Category::Eof | Category::Io) {
        let words = format!("the body is not valid JSON, at line {} column {}", error.line(), error.column());
        return ApiError::new(StatusCode::BAD_REQUEST, words);
    }
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let (member, message) = match said.split_once('`') {
        Some(("missing field ", rest)) => (rest.split_once('`').map(|(name, _)| name), "it is missing".to_owned()),
        Some(("duplicate field ", rest)) => {
            (rest.split_once('`').map(|(name, _)| name), "it is there twice".to_owned())
        }
        Some(("unknown field ", _)) => (None, "there is no such field".to_owned()),
        _ if said.starts_with("invalid") => {
            let expected = said.split_once("expected ").map_or("something else", |(_, expected)| expected);
            (None, format!("expected {expected}"))
        }
        _ => (None, said.to_owned()),
    };
    let parts = [prefix, path, member.unwrap_or_default()];
    let field: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty() && *part != ".").collect();
    let field = if field.is_empty() { "body".to_owned() } else { field.join(".") };
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the request has invalid fields")
        .with_errors(vec![FieldError::new(field, message)])
}
