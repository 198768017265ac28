//! The OpenTelemetry adapter: instruments built from the catalogue, rendered as the text that Prometheus reads.
//!
//! Handles are bound to their labels once and indexed by enum, so that recording neither allocates nor hashes. What is
//! read at the time of a scrape is taken from one observation per page.

mod config;
mod endpoint_series;
mod fleet_series;
mod http_series;
mod instruments;
mod job_series;
mod lazy;
mod observation;
mod otel_metrics;
mod page;
mod process_figures;
mod process_series;
mod resource;
mod worker_series;

pub use config::{OtelConfig, SetupError};
pub use otel_metrics::OtelMetrics;
