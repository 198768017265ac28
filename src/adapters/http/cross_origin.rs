//! Calls from the pages of other origins: the CORS protocol of the Fetch standard, for the origins that may call.
//!
//! It never refuses a request: keeping the answer from a page is the browser's business, and requests of the API's own
//! pages carry an origin too.

use poem::{
    Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};

/// Headers that pages may send.
const SENT: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, prefer, x-request-id");
/// Headers that pages may read.
const READ: HeaderValue =
    HeaderValue::from_static("idempotency-replayed, location, preference-applied, retry-after, x-request-id");
/// How long a browser may remember what it was told, in seconds. Browsers cap it at about this.
const REMEMBERED: HeaderValue = HeaderValue::from_static("7200");

/// The origins that may call.
pub(super) struct CrossOrigin(Vec<HeaderValue>);

/// A request that the page of an origin that may call sent.
pub(super) struct PageCall {
    origin: HeaderValue,
    /// Whether the browser only asks whether it may send the request.
    pub(super) preflight: bool,
}

impl CrossOrigin {
    /// None when no origin may call: then no answer says a word about origins.
    pub(super) fn new(origins: &[String]) -> Option<Self> {
        let origins: Vec<_> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
        (!origins.is_empty()).then_some(Self(origins))
    }

    /// The call that a request is; none when nobody else's page sent it, or one that may not call.
    pub(super) fn call(&self, request: &Request) -> Option<PageCall> {
        let origin = request.headers().get(header::ORIGIN).filter(|origin| self.0.contains(origin))?;
        let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Some(PageCall { origin: origin.clone(), preflight: asks && request.method() == Method::OPTIONS })
    }

    /// Says in an answer who may read it.
    #[expect(clippy::unused_self, reason = "without origins there is nothing to say")]
    pub(super) fn mark(&self, response: &mut Response, call: Option<PageCall>) {
        let headers = response.headers_mut();
        // Also for those who may not: caches must not give them the answers to others.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(call) = call {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, call.origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        }
    }
}

/// The answer to a browser that asks whether it may send a request.
pub(super) fn may_send(methods: HeaderValue) -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT)
        .header(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED)
        .finish()
}
