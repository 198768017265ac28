//! What the adapter is made from.

use std::sync::{Arc, atomic::AtomicU64};

use tokio::runtime::Handle;

use crate::ports::driven::{QueueInfo, Route};

/// What the adapter needs to know about the process.
#[derive(Debug, Clone)]
pub struct OtelConfig {
    /// The routes of the API, in the order of their [`crate::ports::driven::RouteId`]; the last one stands for unmatched paths.
    pub routes: Vec<Route>,
    /// What the queue is.
    pub queue: QueueInfo,
    /// The version of the program.
    pub version: String,
    /// The commit that the program was built from.
    pub revision: String,
    /// The value of `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
    /// The value of `OTEL_RESOURCE_ATTRIBUTES`: `key=value` pairs with commas between them.
    pub resource_attributes: Option<String>,
    /// How many log records could not be written so far.
    pub log_records_dropped: Arc<AtomicU64>,
    /// The runtime whose figures are exported.
    pub runtime: Option<Handle>,
}

/// The instruments cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to set up metrics: {0}")]
pub struct SetupError(pub(super) String);
