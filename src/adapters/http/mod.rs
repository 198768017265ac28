//! HTTP: the routes, the API document, problems, the accept loop, and the metrics page on the wire.
//!
//! Decisions about jobs are not made here: handlers read a request, call a driving port and show its answer.

mod answers;
mod api;
mod app;
mod cross_origin;
mod docs_page;
mod document;
mod edge;
mod guarded;
mod known_parameters;
mod metrics_page;
mod node_api;
mod parameters;
mod prefer;
mod problem;
mod problem_kind;
mod request_id;
mod routes;
mod security;
mod serve;
mod settings;
mod static_page;
#[cfg(test)]
mod tests;
mod visit;
mod waiting;
mod waits;
mod wire;

pub use app::{App, HttpParts, WorkerHttpParts, api, metrics_only, worker_pages};
pub use document::{document, to_yaml};
pub use routes::routes;
pub use serve::{DescriptorRoom, ServeLimits, serve};
pub use settings::HttpSettings;
