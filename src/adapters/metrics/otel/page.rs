//! The page: gathered, written, and looked at before it is handed out.

use prometheus::{Registry, TextEncoder, proto::MetricFamily};

use crate::{adapters::metrics::catalogue::endpoint::BUILD_INFO, ports::driven::ExpositionError};

/// Gathers everything that is registered.
pub(super) fn gather(registry: &Registry) -> Vec<MetricFamily> {
    registry.gather()
}

/// Writes the page. One without the sentinel is no page: the exporter answers its own failures with nothing.
pub(super) fn write(families: &[MetricFamily]) -> Result<String, ExpositionError> {
    if !families.iter().any(|family| family.name() == BUILD_INFO.name) {
        return Err(ExpositionError(format!("the exporter returned nothing, not even {}", BUILD_INFO.name)));
    }
    TextEncoder::new().encode_to_string(families).map_err(|error| ExpositionError(error.to_string()))
}
