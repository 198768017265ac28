//! The table of routes: their templates with real parameter names, and whose latency is recorded.

use poem_openapi::{OpenApi, registry::MetaPath};

use super::{api::Api, node_api::NodeApi, settings::HttpSettings};
use crate::ports::driven::{Route, RouteId};

/// All calls.
pub(super) type WholeApi = (Api, NodeApi);

/// The constant path at which the metrics page is written down.
pub(super) const METRICS: &str = "/metrics";
/// Pages beside the API.
pub(super) const PAGES: [&str; 3] = ["/openapi.json", "/openapi.yaml", DOCS];
/// The page to browse the document.
pub(super) const DOCS: &str = "/docs";
/// Where browsers begin: it leads to the page to browse the document.
pub(super) const ROOT: &str = "/";
/// All paths that are none of ours.
const UNMATCHED: &str = "unmatched";

/// All routes; an id is a position in this table. The last one stands for all paths that are none of ours.
#[must_use]
pub fn routes(settings: &HttpSettings) -> Vec<Route> {
    let api = paths().into_iter().map(|path| template(&path.path, settings));
    let pages = PAGES.map(str::to_owned);
    api.chain(pages)
        .chain([ROOT.to_owned()])
        .chain([UNMATCHED.to_owned()])
        .map(|template| Route { timed: timed(&template, settings), template })
        .collect()
}

/// Health probes and scrapes would drown what people wait for.
fn timed(template: &str, settings: &HttpSettings) -> bool {
    template != settings.metrics_path && !template.starts_with("/health")
}

/// The paths of the API, as they are written down.
pub(super) fn paths() -> Vec<MetaPath> {
    WholeApi::meta().into_iter().flat_map(|api| api.paths).collect()
}

/// The path as it is served.
pub(super) fn template(path: &str, settings: &HttpSettings) -> String {
    if path == METRICS { settings.metrics_path.clone() } else { path.to_owned() }
}

/// The names of a template's parameters.
pub(super) fn parameters(template: &str) -> Vec<String> {
    let parts = template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parts.map(str::to_owned).collect()
}

/// The pattern under which the framework knows a template.
pub(super) fn pattern(template: &str) -> String {
    let mut number = 0;
    let parts = template.split('/').map(|part| {
        if part.starts_with('{') {
            number += 1;
            format!(":param{}", number - 1)
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The id of a template.
pub(super) fn id_of(table: &[Route], template: &str) -> RouteId {
    let last = table.len().saturating_sub(1);
    let position = table.iter().position(|route| route.template == template).unwrap_or(last);
    RouteId(u16::try_from(position).unwrap_or(u16::MAX))
}
