//! The jobs in SQLite: schema, rows and figures. All SQL that reads them is here; who writes, and when, is not.

mod connection;
mod counters;
mod ended;
mod failure;
mod figures;
mod list;
mod new_rows;
mod readers;
mod rows;
mod schema;
mod steady_time;
mod store_files;

pub(super) use connection::keep_prepared;
pub(super) use counters::{Counters, Deltas};
pub(super) use ended::Ended;
pub(super) use failure::{corrupt, failure, repeat};
pub(super) use figures::{Occupation, draining, occupation, stats};
pub(super) use list::page;
pub(super) use new_rows::NewRows;
pub(super) use readers::Readers;
pub(super) use rows::{as_id, duration, job, micros, timestamp, word};
pub(super) use schema::{VERSION, migrate, tables, version};
pub(super) use steady_time::{Moment, SteadyTime, between, whole};
pub(super) use store_files::{LOG_BYTES, StoreFiles};
