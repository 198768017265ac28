//! The queue of a single process: one SQLite file, one writer, readers beside it.
//!
//! The writer owns the only connection that writes. It takes what has piled up, makes it one transaction, and answers
//! after the commit. Leases and waiters live in memory: they end with the process, and so does whatever held them.

mod boot;
mod claiming;
mod command;
mod config;
mod effects;
mod embedded_queue;
mod open_error;
mod registry;
mod retention;
mod submitting;
mod transition;
mod writer;

pub use config::EmbeddedConfig;
pub use embedded_queue::EmbeddedQueue;
pub use open_error::OpenError;
