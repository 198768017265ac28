//! Metrics: the OpenTelemetry adapter, and the one that does nothing.
