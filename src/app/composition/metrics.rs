//! Which metrics there are: those of OpenTelemetry, or none.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::surroundings::Surroundings;
use crate::{
    adapters::metrics::{NoopMetrics, OtelConfig, OtelMetrics, SetupError},
    app::{
        config::MetricsSettings,
        version::{REVISION, VERSION},
    },
    ports::driven::{MetricsPort, QueueInfo, Route},
};

/// The metrics of a process.
pub(super) struct Metrics {
    /// Where jobs and workers are counted.
    pub(super) port: Arc<dyn MetricsPort>,
    /// All that exists only when metrics are on.
    pub(super) on: Option<Arc<OtelMetrics>>,
}

impl Metrics {
    /// Picks the adapter.
    pub(super) fn choose(
        settings: &MetricsSettings,
        routes: Vec<Route>,
        queue: QueueInfo,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, SetupError> {
        if !settings.enabled {
            return Ok(Self { port: Arc::new(NoopMetrics), on: None });
        }
        let metrics = OtelMetrics::new(&OtelConfig {
            routes,
            queue,
            version: VERSION.to_owned(),
            revision: REVISION.to_owned(),
            service_name: (surroundings.variable)("OTEL_SERVICE_NAME"),
            resource_attributes: (surroundings.variable)("OTEL_RESOURCE_ATTRIBUTES"),
            log_records_dropped: Arc::clone(&surroundings.log_records_dropped),
            runtime: Handle::try_current().ok(),
        })?;
        Ok(Self { port: Arc::clone(&metrics) as Arc<dyn MetricsPort>, on: Some(metrics) })
    }
}
