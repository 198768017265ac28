//! Queues: where jobs live from acceptance to deletion.
//!
//! `embedded` is the queue of a single process, `nats` that of a fleet. `store` is the SQL that any backend with a local
//! copy of the jobs needs; `leases` and `waiters` are what any backend keeps in memory.

pub mod embedded;
mod leases;
pub mod nats;
mod retention;
mod store;
mod waiters;

pub use retention::Retention;
