//! The applications that can be served: the API, and the metrics page on a listener of its own.

use std::{collections::HashMap, sync::Arc};

use poem::{
    Endpoint, EndpointExt, IntoResponse, PathPattern, Request, Response, Result, Route, RouteMethod,
    endpoint::{BoxEndpoint, make},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::OpenApiService;

use super::{
    api::{Api, readiness},
    cross_origin::CrossOrigin,
    docs_page,
    document::{document, to_yaml},
    edge::{Edge, Known},
    guarded::{Guard, Guarded, Shared},
    metrics_page::page,
    node_api::NodeApi,
    routes::{DOCS, METRICS, PAGES, ROOT, id_of, paths, pattern, template},
    settings::HttpSettings,
    static_page::StaticPage,
    waits::Waits,
    wire::{Alive, Json},
};
use crate::ports::{
    driven::{Authenticator, HttpMetrics},
    driving::{Health, Jobs, Scrape, Workers},
};

/// Something that can be served.
pub type App = Arc<BoxEndpoint<'static, Response>>;

/// What the API is made of.
pub struct HttpParts {
    /// Jobs.
    pub jobs: Arc<dyn Jobs>,
    /// Workers.
    pub workers: Arc<dyn Workers>,
    /// Health.
    pub health: Arc<dyn Health>,
    /// The metrics page; none when it is off or served elsewhere.
    pub scrape: Option<Arc<dyn Scrape>>,
    /// Where requests are counted; none when metrics are off, and then nothing measures.
    pub metrics: Option<Arc<dyn HttpMetrics>>,
    /// Who verifies tokens.
    pub authenticator: Arc<dyn Authenticator>,
}

/// The API.
#[must_use]
pub fn api(settings: &HttpSettings, parts: HttpParts) -> App {
    let HttpParts { jobs, workers, health, scrape, metrics, authenticator } = parts;
    let shared = Shared::new(settings.clone(), Some(authenticator), metrics.clone());
    let with_metrics = scrape.is_some();
    let waits = Waits::new(settings, metrics.clone());
    let nodes = NodeApi { jobs: Arc::clone(&jobs), waits: Arc::clone(&waits) };
    let api = Api { jobs, workers, health, scrape, waits };
    let guarded = Guarded { api: (api, nodes), shared: Arc::clone(&shared), with_metrics };

    let document = document(settings);
    let pages = [
        ("application/json", document.to_string()),
        ("application/yaml", to_yaml(&document)),
        ("text/html; charset=utf-8", docs_page::PAGE.to_owned()),
    ];
    let mut route = Route::new();
    for (path, (content_type, body)) in PAGES.into_iter().zip(pages) {
        let page = StaticPage { content_type, body: body.into() };
        route = route.at(path, get(Guard::of_page(&shared, path).around(page)));
    }
    let route = route.nest("/", OpenApiService::new(guarded, "osapi", env!("CARGO_PKG_VERSION")));

    let known = known(&shared, with_metrics);
    let unmatched = id_of(&shared.routes, "unmatched");
    let cross_origin = CrossOrigin::new(&settings.allow_origins);
    let root = get(Guard::of_page(&shared, ROOT).around(make(to_docs)));
    let inner = WithRoot { root, others: route };
    Arc::new(Edge { inner, known, unmatched, cross_origin, metrics }.boxed())
}

/// The root beside all other paths: the framework's table gives it to what is nested there.
struct WithRoot {
    root: RouteMethod,
    others: Route,
}

impl Endpoint for WithRoot {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if request.uri().path() != ROOT {
            return self.others.call(request).await;
        }
        self.root.call(request).await.map_err(|mut error| {
            error.set_data(PathPattern(ROOT.into()));
            error
        })
    }
}

/// The metrics page alone.
pub fn metrics_only(settings: &HttpSettings, scrape: Arc<dyn Scrape>, metrics: Option<Arc<dyn HttpMetrics>>) -> App {
    pages(settings, vec![(settings.metrics_path.as_str(), PageEndpoint(scrape).boxed())], metrics)
}

/// What the pages of a process are made of that only works.
pub struct WorkerHttpParts {
    /// Health.
    pub health: Arc<dyn Health>,
    /// The metrics page; none when it is off.
    pub scrape: Option<Arc<dyn Scrape>>,
    /// Where requests are counted; none when metrics are off.
    pub metrics: Option<Arc<dyn HttpMetrics>>,
}

/// The pages of a process that only works: `/health`, `/health/ready` and the metrics page.
#[must_use]
pub fn worker_pages(settings: &HttpSettings, parts: WorkerHttpParts) -> App {
    let alive = make(async |_| Json(Alive::OK).into_response()).boxed();
    let health = parts.health;
    let ready = make(move |_| {
        let health = Arc::clone(&health);
        async move { Ok::<_, poem::Error>(readiness(&*health).await?.into_response()) }
    });
    let mut endpoints = vec![("/health", alive), ("/health/ready", ready.boxed())];
    if let Some(scrape) = parts.scrape {
        endpoints.push((settings.metrics_path.as_str(), PageEndpoint(scrape).boxed()));
    }
    pages(settings, endpoints, parts.metrics)
}

/// Pages that anybody may read.
fn pages(
    settings: &HttpSettings,
    endpoints: Vec<(&str, BoxEndpoint<'static>)>,
    metrics: Option<Arc<dyn HttpMetrics>>,
) -> App {
    let shared = Shared::new(settings.clone(), None, metrics.clone());
    let (mut route, mut known) = (Route::new(), HashMap::new());
    for (path, endpoint) in endpoints {
        route = route.at(path, get(Guard::of_page(&shared, path).around(endpoint)));
        let allow = HeaderValue::from_static("GET, HEAD");
        known.insert(path.to_owned(), Known { route: id_of(&shared.routes, path), allow });
    }
    let unmatched = id_of(&shared.routes, "unmatched");
    Arc::new(Edge { inner: route, known, unmatched, cross_origin: None, metrics }.boxed())
}

/// A browser that asks for nothing in particular wants the page to browse the document.
async fn to_docs(_: Request) -> Result<Response> {
    let response = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
    Ok(response.header(header::LOCATION, HeaderValue::from_static(DOCS)).finish())
}

fn get(endpoint: BoxEndpoint<'static>) -> RouteMethod {
    RouteMethod::new().get(endpoint)
}

/// The page without the API around it.
struct PageEndpoint(Arc<dyn Scrape>);

impl Endpoint for PageEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let page = page(&*self.0, &request).await?;
        Ok(page.into_response())
    }
}

/// The patterns of all routes, with the methods that they know.
fn known(shared: &Shared, with_metrics: bool) -> HashMap<String, Known> {
    let of_api = paths().into_iter().filter(|path| with_metrics || path.path != METRICS).map(|path| {
        let mut methods: Vec<&str> = path.operations.iter().map(|operation| operation.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        (template(&path.path, &shared.settings), methods.join(", "))
    });
    let of_pages = PAGES.into_iter().chain([ROOT]).map(|path| (path.to_owned(), "GET, HEAD".to_owned()));
    of_api
        .chain(of_pages)
        .map(|(template, methods)| {
            let allow = HeaderValue::from_str(&methods).unwrap_or_else(|_| HeaderValue::from_static("GET"));
            (pattern(&template), Known { route: id_of(&shared.routes, &template), allow })
        })
        .collect()
}
