//! The jobs in SQLite: schema, rows and figures. All SQL that reads them is here; who writes, and when, is not.

mod connection;
mod counters;
mod failure;
mod list;
mod rows;
mod schema;

pub(super) use connection::keep_prepared;
pub(super) use counters::{Counters, Deltas};
pub(super) use failure::{corrupt, failure};
pub(super) use list::page;
pub(super) use rows::{as_id, duration, job, micros, timestamp, word};
pub(super) use schema::{VERSION, migrate, version};
