//! What goes over the wire: bodies of requests and answers, with the schemas that the document shows of them.
//!
//! Every type here is `serde` for the bytes and `schemars` for the document; nothing is described twice.

mod body;
mod fields;
mod health;
mod job;
mod json;
mod new_job;
mod node;
mod node_bodies;
mod object;
mod operation;
mod schemas;
mod stats;
mod whole;
mod worker;

pub(super) use body::{Body, BodyCheck, body_check};
pub(super) use health::{Alive, Readiness, Report};
pub(super) use job::{Job, JobPage};
pub(super) use json::Json;
pub(super) use new_job::{NewJob, NewRetry};
pub(super) use node::NodeResults;
pub(super) use node_bodies::DnsChangeBody;
pub(super) use object::may_be_repeated;
pub(super) use schemas::insert_schemas;
pub(super) use stats::Stats;
pub(super) use worker::{Worker, WorkerList};
