//! The outermost layer: request ids, the metrics of requests, paths and methods that are none of ours, the last panic,
//! and what browsers ask.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, Result,
    error::MethodNotAllowedError,
    http::{HeaderValue, Version, header},
};

use super::{
    cross_origin::{CrossOrigin, may_send},
    problem::{ApiError, refusal},
    problem_kind::ProblemKind,
    request_id::{self, RequestId},
    visit::{Panicked, Visit, Watched},
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

/// A measured request: in flight until it is dropped, and then counted, however it ended.
struct InFlight<'a> {
    metrics: &'a dyn HttpMetrics,
    method: HttpMethod,
    begun: Instant,
    watched: Arc<Watched>,
    end: HttpEnd,
}

impl<'a> InFlight<'a> {
    fn start(metrics: &'a dyn HttpMetrics, unmatched: RouteId, request: &Request) -> Self {
        // The router turns HEAD into GET.
        let method = HttpMethod::from_name(request.method().as_str());
        metrics.request_started(method);
        let watched = Watched::new(unmatched);
        Self { metrics, method, begun: Instant::now(), watched, end: HttpEnd::Disconnected }
    }

    fn answer(&mut self, response: &Response) {
        self.end = match response.extensions().get::<Panicked>() {
            Some(_) => HttpEnd::Panicked,
            None => HttpEnd::Answered(response.status().as_u16()),
        };
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.metrics.request_finished(self.watched.route(), self.method, self.end, took, self.watched.waits());
        self.metrics.request_stopped(self.method);
    }
}

impl<E: Endpoint> Edge<E> {
    /// The answer to a request that no route took.
    fn refuse(&self, error: poem::Error, preflight: bool, visit: &Visit) -> Response {
        let known = error.data::<PathPattern>().and_then(|pattern| self.known.get(&*pattern.0));
        if let (Some(watched), Some(known)) = (&visit.watched, known) {
            watched.arrive(known.route, false);
        }
        match known.filter(|_| error.is::<MethodNotAllowedError>()) {
            Some(known) if preflight => may_send(known.allow.clone()),
            Some(known) => refusal(error, &[]).with_header(header::ALLOW, known.allow.clone()).into_problem(&visit.id),
            None => refusal(error, &[]).into_problem(&visit.id),
        }
    }
}

/// A request has one `Host` (RFC 9112 §3.2): with two, those on the way may have looked at the other one.
fn wrong_host(request: &Request) -> Option<ApiError> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let words = match hosts {
        0 if request.version() >= Version::HTTP_11 => "the request has no Host",
        0 | 1 => return None,
        _ => "the request has more than one Host",
    };
    Some(ApiError::new(ProblemKind::MalformedRequest, words))
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let mut in_flight = self.metrics.as_deref().map(|metrics| InFlight::start(metrics, self.unmatched, &request));
        let watched = in_flight.as_ref().map(|in_flight| Arc::clone(&in_flight.watched));
        let visit = Visit { id: RequestId::of(&request), watched };
        request.extensions_mut().insert(visit.clone());
        let page_call = self.cross_origin.as_ref().and_then(|cross_origin| cross_origin.call(&request));
        let preflight = page_call.as_ref().is_some_and(|call| call.preflight);
        let mut response = match wrong_host(&request) {
            Some(refused) => refused.into_problem(&visit.id),
            None => match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
                Ok(Ok(response)) => response.into_response(),
                Ok(Err(error)) => self.refuse(error, preflight, &visit),
                Err(_) => {
                    let mut response = ApiError::internal().into_problem(&visit.id);
                    response.extensions_mut().insert(Panicked);
                    response
                }
            },
        };
        if let Some(in_flight) = &mut in_flight {
            in_flight.answer(&response);
        }
        response.headers_mut().insert(request_id::HEADER, visit.id.header());
        if let Some(cross_origin) = &self.cross_origin {
            cross_origin.mark(&mut response, page_call);
        }
        Ok(response)
    }
}
