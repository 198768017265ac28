//! The id of a request, in its answer and in the log.

use std::sync::Arc;

use poem::{Request, http::HeaderValue};

/// The header that carries it.
pub(super) const HEADER: &str = "x-request-id";

/// The id of a request: the client's own when it is harmless, else a random one.
#[derive(Debug, Clone)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    pub(super) fn of(request: &Request) -> Self {
        let own = request.header(HEADER).filter(|id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        });
        Self(own.map_or_else(random, Arc::from))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        // Only harmless characters get in.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

fn random() -> Arc<str> {
    let mut bytes = [0; 16];
    // Without randomness the id is of no use, and the request of no less.
    let _ = getrandom::fill(&mut bytes);
    uuid::Uuid::from_bytes(bytes).simple().to_string().into()
}
