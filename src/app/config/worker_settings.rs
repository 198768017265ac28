//! `job.worker`: how this host takes part in the fleet.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{CommandsSettings, scalar};
use crate::domain::{Hostname, Labels};

/// The worker of this process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// Its address in the fleet; the system's hostname where nothing else is configured.
    pub hostname: Hostname,
    /// What label targets match.
    pub labels: Labels,
    /// How many executions it runs at once.
    #[serde(deserialize_with = "scalar::whole::<_, _, 1, 1024>")]
    pub slots: u32,
    /// How long running work may take to finish when the process is asked to stop.
    #[serde(deserialize_with = "scalar::duration::<_, 0, 3600>", serialize_with = "scalar::show_duration")]
    pub grace: Duration,
    /// Where a process that only works answers.
    #[serde(deserialize_with = "scalar::listener")]
    pub listen: SocketAddr,
    /// Which programs jobs may run on it.
    pub commands: CommandsSettings,
}
