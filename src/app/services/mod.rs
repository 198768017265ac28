//! The services: driving ports implemented over driven ports. They import the domain and the ports, nothing else.
//!
//! A method reads: load, ask the domain, persist, record, return. What a status means is decided in the domain.

mod active;
mod health;
mod job_events;
mod jobs;
mod run;
mod scrape;
mod seldom;
mod worker;
mod workers;

#[cfg(test)]
mod jobs_tests;
#[cfg(test)]
mod worker_scene;
#[cfg(test)]
mod worker_tests;

pub use health::HealthService;
pub use job_events::JobEventRecorder;
pub use jobs::{JobService, JobServiceParts};
pub use scrape::ScrapeService;
pub use worker::{Membership, WorkerParts, WorkerProfile, WorkerService};
pub use workers::WorkersService;
