//! The outermost layer: request ids, requests in flight, paths and methods that are none of ours, the last panic.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, Result,
    error::MethodNotAllowedError,
    http::{HeaderValue, StatusCode, header},
};

use super::{
    problem::{ApiError, refusal},
    request_id::{self, RequestId},
};
use crate::ports::driven::{HttpEnd, HttpMethod, HttpMetrics, RouteId};

/// A pattern of the framework, as the edge knows it.
pub(super) struct Known {
    pub(super) route: RouteId,
    pub(super) allow: HeaderValue,
}

/// The outermost layer.
pub(super) struct Edge<E> {
    pub(super) inner: E,
    pub(super) known: HashMap<String, Known>,
    /// The route of all paths that are none of ours.
    pub(super) unmatched: RouteId,
    pub(super) metrics: Option<Arc<dyn HttpMetrics>>,
}

/// A request in flight; over when dropped.
struct InFlight<'a> {
    metrics: &'a dyn HttpMetrics,
    method: HttpMethod,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.request_stopped(self.method);
    }
}

impl<E: Endpoint> Edge<E> {
    /// The answer to a request that no route took.
    fn refuse(&self, error: poem::Error, method: HttpMethod, begun: Instant, id: &RequestId) -> Response {
        // An answer that is one already: that of a layer in between.
        if error.is_from_response() {
            return error.into_response();
        }
        let known = error.data::<PathPattern>().and_then(|pattern| self.known.get(&*pattern.0));
        let wrong_method = error.is::<MethodNotAllowedError>();
        let mut refused = refusal(error, &[]);
        if let (true, Some(known)) = (wrong_method, known) {
            refused = refused.with_header(header::ALLOW, known.allow.clone());
        }
        if let Some(metrics) = &self.metrics {
            let route = known.map_or(self.unmatched, |known| known.route);
            let end = HttpEnd::Answered(refused.status().as_u16());
            metrics.request_finished(route, method, end, begun.elapsed(), false);
        }
        refused.into_problem(id)
    }
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let begun = Instant::now();
        let id = RequestId::of(&request);
        request.extensions_mut().insert(id.clone());
        let method = HttpMethod::from_name(request.method().as_str());
        let _in_flight = self.metrics.as_deref().map(|metrics| {
            metrics.request_started(method);
            InFlight { metrics, method }
        });
        let mut response = match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response.into_response(),
            Ok(Err(error)) => self.refuse(error, method, begun, &id),
            Err(_) => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here").into_problem(&id),
        };
        response.headers_mut().insert(request_id::HEADER, id.header());
        Ok(response)
    }
}
