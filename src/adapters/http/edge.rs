//! The outermost layer: request ids, requests in flight, paths and methods that are none of ours, the last panic, and
//! what browsers ask.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, Result,
    error::MethodNotAllowedError,
    http::{HeaderValue, header},
};

use super::{
    cross_origin::{CrossOrigin, may_send},
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
    pub(super) cross_origin: Option<CrossOrigin>,
    pub(super) metrics: Option<Arc<dyn HttpMetrics>>,
}

/// A request in flight; over when dropped. Only measured requests have one.
struct InFlight<'a> {
    metrics: &'a dyn HttpMetrics,
    method: HttpMethod,
    begun: Instant,
}

impl<'a> InFlight<'a> {
    fn start(metrics: &'a dyn HttpMetrics, request: &mut Request) -> Self {
        let method = HttpMethod::from_name(request.method().as_str());
        // The router turns HEAD into GET.
        request.extensions_mut().insert(method);
        metrics.request_started(method);
        Self { metrics, method, begun: Instant::now() }
    }

    /// Counts a request that no guard saw.
    fn finish(&self, route: RouteId, end: HttpEnd) {
        self.metrics.request_finished(route, self.method, end, self.begun.elapsed(), false);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.request_stopped(self.method);
    }
}

impl<E: Endpoint> Edge<E> {
    /// The answer to a request that no route took.
    fn refuse(
        &self,
        error: poem::Error,
        preflight: bool,
        in_flight: Option<&InFlight<'_>>,
        id: &RequestId,
    ) -> Response {
        let known = error.data::<PathPattern>().and_then(|pattern| self.known.get(&*pattern.0));
        let response = match known.filter(|_| error.is::<MethodNotAllowedError>()) {
            Some(known) if preflight => may_send(known.allow.clone()),
            Some(known) => refusal(error, &[]).with_header(header::ALLOW, known.allow.clone()).into_problem(id),
            None => refusal(error, &[]).into_problem(id),
        };
        if let Some(in_flight) = in_flight {
            let route = known.map_or(self.unmatched, |known| known.route);
            in_flight.finish(route, HttpEnd::Answered(response.status().as_u16()));
        }
        response
    }
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = RequestId::of(&request);
        request.extensions_mut().insert(id.clone());
        let page_call = self.cross_origin.as_ref().and_then(|cross_origin| cross_origin.call(&request));
        let preflight = page_call.as_ref().is_some_and(|call| call.preflight);
        let in_flight = self.metrics.as_deref().map(|metrics| InFlight::start(metrics, &mut request));
        let mut response = match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response.into_response(),
            Ok(Err(error)) => self.refuse(error, preflight, in_flight.as_ref(), &id),
            Err(_) => {
                if let Some(in_flight) = &in_flight {
                    in_flight.finish(self.unmatched, HttpEnd::Panicked);
                }
                ApiError::internal().into_problem(&id)
            }
        };
        response.headers_mut().insert(request_id::HEADER, id.header());
        if let Some(cross_origin) = &self.cross_origin {
            cross_origin.mark(&mut response, page_call);
        }
        Ok(response)
    }
}
