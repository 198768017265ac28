//! What every queue adapter promises, shown on each of them.
//!
//! `conformance` is one list of tests over the ports; an adapter joins it with a [`fixture::Backend`] and one line of
//! the `conformance!` macro. What only one adapter has is tested beside.

mod cable;
mod clocks;
mod conformance;
pub(crate) mod embedded;
mod embedded_files;
pub(crate) mod fixture;
mod ledger;
mod nats;
mod nats_clocks;
mod nats_copies;
mod nats_faults;
mod nats_losses;
mod nats_panics;
mod nats_process;
mod nats_refusals;
pub(crate) mod nats_server;
mod older_stores;
mod registry;
