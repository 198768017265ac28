//! The composition root: the one place that sees services and adapters at once, and picks what the configuration names.
//!
//! It builds and connects; it decides nothing about jobs. [`Server`] reads from top to bottom: listeners, metrics,
//! queue, services, and what runs until the stop.

mod addresses;
mod data_dir;
mod listeners;
mod metrics;
mod queue;
mod role;
mod server;
mod signing_key;
mod start_error;
mod surroundings;

pub use addresses::Addresses;
pub use data_dir::DataDirError;
pub use role::Role;
pub use server::Server;
pub use signing_key::signing_key;
pub use start_error::StartError;
pub use surroundings::Surroundings;
