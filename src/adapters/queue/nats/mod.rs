//! The queue of a fleet: NATS JetStream, with API processes and workers apart.
//!
//! Correctness is in one place: the compare-and-set on the record of a job or an execution (`executions`, `submitting`).
//! Hints, signs of life and acknowledgements only make things happen sooner. A process that serves the API keeps a copy
//! of the state stream in SQLite (`replica`, `model`, `apply`), answers from it, and does what is due (`upkeep`); a
//! process that only works has none of that.

mod apply;
mod ballast;
mod change;
mod claims;
mod config;
mod connect_error;
mod connection;
mod denials;
mod due;
mod executions;
mod fleet;
mod follower;
mod hands;
mod link;
mod lost_hints;
mod model;
mod names;
mod nats_queue;
mod origin;
mod progress;
mod pulls;
mod questions;
mod record;
mod registry;
mod removal;
mod replica;
mod reports;
mod server_time;
mod standing;
mod start;
mod streams;
mod submitting;
mod tasks;
mod upkeep;

pub use config::{NatsConfig, NatsServer, NatsTls};
pub use connect_error::ConnectError;
pub use nats_queue::NatsQueue;
