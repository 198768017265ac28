//! JSON answers, written from the value as it is.

use poem::{IntoResponse, Response, http::HeaderValue, http::header};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::http::problem::ApiError;

/// A JSON body whose schema is that of `T` in the document.
#[derive(Debug, Clone)]
pub(in crate::adapters::http) struct Json<T>(pub(in crate::adapters::http) T);

impl<T: JsonSchema + Send> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(T::schema_name().into_owned())
    }

    /// Holds the place; the schema itself comes from `schemars`.
    fn register(registry: &mut Registry) {
        registry.schemas.entry(T::schema_name().into_owned()).or_insert_with(|| MetaSchema::new("object"));
    }
}

impl<T: Serialize + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let mut response = Response::builder().content_type("application/json").body(body);
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written as JSON");
                ApiError::internal().into_response()
            }
        }
    }
}

impl<T: Serialize + JsonSchema + Send> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }];
        let response =
            MetaResponse { description: "", status: Some(200), status_range: None, content, headers: vec![] };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }
}
