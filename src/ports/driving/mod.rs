//! What the core offers: implemented by services, called by adapters.

pub mod health;
pub mod job_events;
pub mod jobs;
pub mod scrape;
pub mod workers;

pub use health::{ComponentHealth, Health, HealthReport, Readiness};
pub use job_events::{JobEvent, JobEvents};
pub use jobs::{JobRequest, Jobs, JobsError, RetryRequest, Submitted};
pub use scrape::{Page, Scrape, ScrapeError};
pub use workers::{Workers, WorkersError};

#[cfg(test)]
pub use {health::MockHealth, job_events::MockJobEvents, jobs::MockJobs, scrape::MockScrape, workers::MockWorkers};
