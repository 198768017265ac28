//! The log of the process: structured lines on standard error, and panics among them.
//!
//! What a line is written to may fail or block: a pipe whose reader has gone or does not read, a full disk. Neither may
//! stop the service or make it wait. So lines go through a bounded queue to a thread that writes them; what finds no room,
//! or cannot be written, is dropped and counted, and the log says how many were, when it can be written again.

mod install;
mod log_queue;
mod log_writer;

#[cfg(test)]
mod tests;

pub use install::{Log, install};
