//! Integration tests: the public surface of the library, and the program as a process.
//!
//! One binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::float_cmp, reason = "counts on a page are whole numbers")]

mod command;
mod exposition;
mod fleet;
mod fleet_cluster;
mod fleet_rights;
mod metrics;
mod operations;
mod ops;
mod process;
mod queue;
mod revision;
mod server;
