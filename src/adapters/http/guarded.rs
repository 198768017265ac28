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
    registry::{MetaApi, MetaRequest, MetaSchemaRef, Registry},
};
use tokio::time::timeout;

use super::{
    known_parameters::KnownParameters,
    parameters::TWICE,
    problem::{ApiError, refusal},
    problem_kind::ProblemKind,
    request_id::RequestId,
    routes::{METRICS, id_of, parameters, pattern, routes, template},
    security::{scope, unauthorized, verify},
    serve::NoBodyRead,
    settings::HttpSettings,
    visit::{Panicked, Visit},
    waiting::Waiting,
    wire::{BodyCheck, body_check},
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
                    let guard = Guard {
                        scope,
                        waits: Waiting::of(operation),
                        known: KnownParameters::of(operation, &served),
                        body: operation.request.as_ref().map(check_of_body),
                        ..Guard::of_page(&self.shared, &served)
                    };
                    let endpoint = guard.around(endpoint);
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
    known: KnownParameters,
    scope: Option<Scope>,
    waits: Waiting,
    /// How the body is looked at before the handler reads it; none when it reads none.
    body: Option<BodyCheck>,
}

impl Guard {
    /// The guard of a page that anybody may read, without parameters and body.
    pub(super) fn of_page(shared: &Arc<Shared>, path: &str) -> Self {
        let (shared, route) = (Arc::clone(shared), id_of(&shared.routes, path));
        let (parameters, known) = (parameters(path), KnownParameters::default());
        Self { shared, route, parameters, known, scope: None, waits: Waiting::Never, body: None }
    }

    /// An endpoint inside this guard.
    pub(super) fn around(self, endpoint: impl Endpoint<Output = Response> + 'static) -> BoxEndpoint<'static> {
        GuardedEndpoint { guard: self, endpoint }.boxed()
    }
}

/// How the body of an operation is looked at.
#[expect(clippy::expect_used, reason = "the bodies are those of the code; every test of the API would say so")]
fn check_of_body(request: &MetaRequest) -> BodyCheck {
    let schema = request.content.first().map(|content| &content.schema);
    let name = schema.and_then(|schema| match schema {
        MetaSchemaRef::Reference(name) => Some(name),
        MetaSchemaRef::Inline(_) => None,
    });
    name.and_then(|name| body_check(name)).expect("bodies have a check")
}

struct GuardedEndpoint<E> {
    guard: Guard,
    endpoint: E,
}

impl<E: Endpoint<Output = Response>> GuardedEndpoint<E> {
    async fn answer(&self, mut request: Request) -> Result<Response, ApiError> {
        let shared = &self.guard.shared;
        if request.headers().get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
            return Err(ApiError::value("Authorization", TWICE));
        }
        if let (Some(scope), Some(authenticator)) = (self.guard.scope, &shared.authenticator) {
            match verify(&request, &**authenticator, scope) {
                Ok(caller) => drop(request.extensions_mut().insert(caller)),
                Err(error) => {
                    self.reject(error);
                    return Err(unauthorized(error, scope));
                }
            }
        }
        let wrong = self.guard.known.mistakes(&request);
        let body = match self.guard.body {
            Some(_) => read_body(&mut request, shared.settings.body_limit).await?,
            None => Vec::new(),
        };
        if let Some(wrong) = wrong {
            let of_body = self.guard.body.and_then(|check| check(request.headers(), &body));
            return Err(wrong.refusal(of_body));
        }
        request.set_body(body);
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
        if self.guard.body.is_none() {
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
        ApiError::new(ProblemKind::BodyTooLarge, words)
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
        Ok(Err(_)) => Err(ApiError::new(ProblemKind::MalformedBody, "the body cannot be read")),
        Err(_) => Err(ApiError::new(ProblemKind::BodyTimeout, "the body did not come in time")),
    }
}
