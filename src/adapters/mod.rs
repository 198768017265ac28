//! The outside world: one folder per port or family of ports, with the adapters that serve it.
//!
//! An adapter names the domain, the ports and its own folder, never another adapter's folder.

pub mod auth;
pub mod clock;
pub mod executor;
pub mod http;
pub mod metrics;
pub mod queue;
