//! The services: driving ports implemented over driven ports. They import the domain and the ports, nothing else.
//!
//! A method reads: load, ask the domain, persist, record, return. What a status means is decided in the domain.

mod health;
mod job_events;
mod jobs;
mod scrape;
mod workers;

pub use health::HealthService;
pub use job_events::JobEventRecorder;
pub use jobs::{JobService, JobServiceParts};
pub use scrape::ScrapeService;
pub use workers::WorkersService;
