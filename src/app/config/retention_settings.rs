//! `job.retention`: how long terminal jobs are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scalar;

/// Ten years, in seconds.
const MAX_AGE: u64 = 3650 * 86_400;

/// What is kept of terminal jobs; the first limit that is reached removes the oldest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// For so long.
    #[serde(deserialize_with = "scalar::duration::<_, 1, MAX_AGE>", serialize_with = "scalar::show_duration")]
    pub age: Duration,
    /// So many.
    #[serde(deserialize_with = "scalar::whole::<_, _, 1, 1_000_000_000>")]
    pub max_jobs: u64,
    /// So much space, in bytes.
    #[serde(deserialize_with = "scalar::bytes::<_, 0x10_0000, { 1 << 50 }>", serialize_with = "scalar::show_bytes")]
    pub max_bytes: u64,
}
