//! Queues: where jobs live from acceptance to deletion.
//!
//! `store` is the SQL that any backend with a local copy of the jobs needs; `embedded` is the queue of a single process.

pub mod embedded;
mod store;
