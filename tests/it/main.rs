//! Integration tests: the public surface of the library, and the program as a process.
//!
//! One binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod exposition;
mod metrics;
mod operations;
mod queue;
