//! The system's time, and ids made from it. The only place that reads the clock for the record.

mod system_clock;
mod uuid_job_ids;

pub use system_clock::SystemClock;
pub use uuid_job_ids::UuidJobIds;
