//! Pages that are the same for everybody: the document and its browsable form.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, header},
};

/// A page that never changes while the process lives.
#[derive(Clone)]
pub(super) struct StaticPage {
    pub(super) content_type: &'static str,
    pub(super) body: Arc<str>,
}

/// Scripts and styles of the page itself, requests to this server, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Endpoint for StaticPage {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(Response::builder()
            .content_type(self.content_type)
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .header(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
            .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .body(self.body.to_string()))
    }
}
