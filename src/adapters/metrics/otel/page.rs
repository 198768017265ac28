//! The page: written, and looked at before it is handed out.

use prometheus::{TextEncoder, proto::MetricFamily};

use crate::{adapters::metrics::catalogue::endpoint::BUILD_INFO, ports::driven::ExpositionError};

/// Writes the page. One without the sentinel is no page: the exporter answers its own failures with nothing.
pub(super) fn write(families: &[MetricFamily]) -> Result<String, ExpositionError> {
    if !families.iter().any(|family| family.name() == BUILD_INFO.name) {
        return Err(ExpositionError(format!("the exporter returned nothing, not even {}", BUILD_INFO.name)));
    }
    TextEncoder::new().encode_to_string(families).map_err(|error| ExpositionError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_the_sentinel_is_an_error() {
        let error = write(&[]).expect_err("nothing was gathered");
        assert!(error.to_string().contains("osapi_build_info"), "{error}");
    }
}
