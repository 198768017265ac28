//! `job.defaults`: what applies to a job that does not say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scalar;
use crate::domain::{
    Defaults,
    time_limits::{DEADLINE_SECONDS, TIMEOUT_SECONDS},
};

const MIN_TIMEOUT: u64 = *TIMEOUT_SECONDS.start();
const MAX_TIMEOUT: u64 = *TIMEOUT_SECONDS.end();
const MIN_DEADLINE: u64 = *DEADLINE_SECONDS.start();
const MAX_DEADLINE: u64 = *DEADLINE_SECONDS.end();

/// Limits of jobs that name none, and of their leases.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultLimitsSettings {
    /// Longest run of one execution.
    #[serde(
        deserialize_with = "scalar::duration::<_, MIN_TIMEOUT, MAX_TIMEOUT>",
        serialize_with = "scalar::show_duration"
    )]
    pub timeout: Duration,
    /// From acceptance to the last possible start.
    #[serde(
        deserialize_with = "scalar::duration::<_, MIN_DEADLINE, MAX_DEADLINE>",
        serialize_with = "scalar::show_duration"
    )]
    pub deadline: Duration,
    /// How often an execution may be started.
    #[serde(deserialize_with = "scalar::whole::<_, _, 1, 100>")]
    pub max_attempts: u32,
    /// How long a worker holds an execution without a sign of life.
    #[serde(deserialize_with = "scalar::duration::<_, 1, 3600>", serialize_with = "scalar::show_duration")]
    pub lease: Duration,
}

impl From<&DefaultLimitsSettings> for Defaults {
    fn from(settings: &DefaultLimitsSettings) -> Self {
        Self { timeout: settings.timeout, deadline: settings.deadline, max_attempts: settings.max_attempts }
    }
}
