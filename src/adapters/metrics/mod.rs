//! The metrics adapter: the catalogue of everything that is exported, the OpenTelemetry instruments built from it, and
//! the adapter for when metrics are off; and the decorator that times a queue.
//!
//! Names, labels and units live here and nowhere else; who reports what, and when, is the ports' and services' business.

pub mod catalogue;
mod metered_queue;
mod noop_metrics;
mod otel;

pub use metered_queue::MeteredQueue;
pub use noop_metrics::NoopMetrics;
pub use otel::{OtelConfig, OtelMetrics, SetupError};
