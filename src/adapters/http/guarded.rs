//! What surrounds every handler: the token, the body's limits, panics, problems, and which route it is.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use poem::{
    Endpoint, EndpointExt, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{Method, StatusCode, header},
};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaParamIn, Registry},
};
use tokio::time::timeout;

use super::{
    problem::{ApiError, refusal},
    request_id::RequestId,
    routes::{METRICS, id_of, parameters, pattern, routes, template},
    security::{scope, unauthorized, verify},
    serve::NoBodyRead,
    settings::HttpSettings,
    visit::{Panicked, Visit},
    waiting::Waiting,
};
use crate::{
    domain::Scope,
    ports::driven::{AuthError, Authenticator, HttpMetrics, Route, RouteId},
};

/// Time to send a body that was announced.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Operations that anybody may call; every other one states a scope.
const PUBLIC: [&str; 3] = ["health", "health_ready", "metrics"];

/// What all routes share.
pub(super) struct Shared {
    pub(super) settings: HttpSettings,
    pub(super) routes: Vec<Route>,
    pub(super) authenticator: Option<Arc<dyn Authenticator>>,
    pub(super) metrics: Option<Arc<dyn HttpMetrics>>,
}

impl Shared {
    /// What all routes of a server with these settings share.
    pub(super) fn new(
        settings: HttpSettings,
        authenticator: Option<Arc<dyn Authenticator>>,
        metrics: Option<Arc<dyn HttpMetrics>>,
    ) -> Arc<Self> {
        let routes = routes(&settings);
        Arc::new(Self { settings, routes, authenticator, metrics })
    }
}

/// An API whose endpoints are all guarded.
pub(super) struct Guarded<T> {
    pub(super) api: T,
    pub(super) shared: Arc<Shared>,
    /// Whether the metrics page is one of them.
    pub(super) with_metrics: bool,
}

impl<T: OpenApi> OpenApi for Guarded<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut own = HashMap::new();
        self.api.add_routes(&mut own);
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let mut endpoints = own.remove(&pattern(&path.path)).unwrap_or_default();
            if path.path == METRICS && !self.with_metrics {
                continue;
            }
            let served = template(&path.path, &self.shared.settings);
            for operation in &path.operations {
                let name = operation.operation_id.unwrap_or_default();
                let scope = scope(operation);
                assert!(scope.is_some() != PUBLIC.contains(&name), "{name} states no scope, or one too many");
                if let Some(endpoint) = endpoints.remove(&operation.method) {
                    let in_header =
                        operation.params.iter().filter(|parameter| parameter.in_type == MetaParamIn::Header);
                    // What is not understood of preferences is ignored.
                    let strict = in_header.filter(|parameter| parameter.name != "Prefer");
                    let headers = strict.map(|parameter| parameter.name.clone()).collect();
                    let reads_body = operation.request.is_some();
                    let guard = Guard::new(&self.shared, &served, scope, headers, Waiting::of(operation));
                    let endpoint = Guard { reads_body, ..guard }.around(endpoint);
                    table.entry(pattern(&served)).or_default().insert(operation.method.clone(), endpoint);
                }
            }
        }
        assert!(own.is_empty(), "routes that are not in the document: {:?}", own.keys());
    }
}

/// What surrounds one handler.
pub(super) struct Guard {
    shared: Arc<Shared>,
    route: RouteId,
    /// The names of the path's parameters.
    parameters: Vec<String>,
    /// The names of the headers that the handler reads.
    headers: Vec<String>,
    scope: Option<Scope>,
    waits: Waiting,
    /// Whether the handler reads a body.
    reads_body: bool,
}

impl Guard {
    /// The guard of a route that reads no body.
    pub(super) fn new(
        shared: &Arc<Shared>,
        template: &str,
        scope: Option<Scope>,
        headers: Vec<String>,
        waits: Waiting,
    ) -> Self {
        let route = id_of(&shared.routes, template);
        Self {
            shared: Arc::clone(shared),
            route,
            parameters: parameters(template),
            headers,
            scope,
            waits,
            reads_body: false,
        }
    }

    /// The guard of a page that anybody may read.
    pub(super) fn of_page(shared: &Arc<Shared>, path: &str) -> Self {
        Self::new(shared, path, None, Vec::new(), Waiting::Never)
    }

    /// An endpoint inside this guard.
    pub(super) fn around(self, endpoint: impl Endpoint<Output = Response> + 'static) -> BoxEndpoint<'static> {
        GuardedEndpoint { guard: self, endpoint }.boxed()
    }
}

struct GuardedEndpoint<E> {
    guard: Guard,
    endpoint: E,
}

impl<E: Endpoint<Output = Response>> GuardedEndpoint<E> {
    async fn answer(&self, mut request: Request) -> Result<Response, ApiError> {
        let shared = &self.guard.shared;
        if let (Some(scope), Some(authenticator)) = (self.guard.scope, &shared.authenticator) {
            match verify(&request, &**authenticator, scope) {
                Ok(caller) => drop(request.extensions_mut().insert(caller)),
                Err(error) => {
                    self.reject(error);
                    return Err(unauthorized(error));
                }
            }
        }
        // The framework would not see a value that is no text.
        let text = |name: &&String| request.headers().get_all(*name).iter().all(|value| value.to_str().is_ok());
        if let Some(name) = self.guard.headers.iter().find(|name| !text(name)) {
            return Err(ApiError::field(StatusCode::BAD_REQUEST, name, "expected visible ASCII characters"));
        }
        if self.guard.reads_body {
            let body = read_body(&mut request, shared.settings.body_limit).await?;
            request.set_body(body);
        } else {
            drop(request.take_body());
        }
        self.endpoint.call(request).await.map_err(|error| {
            let refused = refusal(error, &self.guard.parameters);
            // The route was allowed, and its operation was not.
            if refused.status() == StatusCode::FORBIDDEN {
                self.reject(AuthError::Scope);
            }
            refused
        })
    }

    /// Tells the connection what to do with a body that came all the same.
    fn mark(&self, mut response: Response) -> Response {
        if !self.guard.reads_body {
            response.extensions_mut().insert(NoBodyRead);
        }
        response
    }

    fn reject(&self, error: AuthError) {
        if let Some(metrics) = &self.guard.shared.metrics {
            metrics.auth_rejected(error);
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for GuardedEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let visit = request.extensions().get::<Visit>().cloned();
        let Visit { id, watched } = visit.unwrap_or_else(|| Visit { id: RequestId::of(&request), watched: None });
        if let Some(watched) = watched {
            watched.arrive(self.guard.route, self.guard.waits.asked(&request));
        }
        let refused = match AssertUnwindSafe(self.answer(request)).catch_unwind().await {
            Ok(Ok(mut response)) => match response.extensions_mut().remove::<ApiError>() {
                Some(error) => error,
                None => return Ok(self.mark(response)),
            },
            Ok(Err(error)) => error,
            Err(_) => {
                tracing::error!(request_id = id.as_str(), "a handler panicked");
                let mut response = ApiError::internal().into_problem(&id);
                response.extensions_mut().insert(Panicked);
                return Ok(self.mark(response));
            }
        };
        let (request_id, status) = (id.as_str(), refused.status().as_u16());
        match refused.status() {
            // Whatever it is that does not work has said so, and would say it again with every request.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
                tracing::debug!(request_id, status, %refused, "a request failed");
            }
            failed if failed.is_server_error() => {
                tracing::warn!(request_id, status, %refused, "a request failed");
            }
            _ => {}
        }
        Ok(self.mark(refused.into_problem(&id)))
    }
}

/// The whole body, within its limit and in time.
async fn read_body(request: &mut Request, limit: usize) -> Result<Vec<u8>, ApiError> {
    let too_large = || {
        let words = format!("the body is larger than {limit} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, words)
    };
    let declared = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    if declared.unwrap_or_default() == 0 && request.header(header::TRANSFER_ENCODING).is_none() {
        return Ok(Vec::new());
    }
    let body = request.take_body();
    match timeout(BODY_TIME, body.into_bytes_limit(limit)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::new(StatusCode::BAD_REQUEST, "the body cannot be read")),
        Err(_) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}
