//! The service from the outside: real adapters behind the public surface of the crate.

mod exposition;
mod metrics;
