//! Health as it is shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::stats::QueueFigures;
use crate::ports::driving;

/// The process answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct Alive {
    /// `ok`
    status: &'static str,
}

impl Alive {
    pub(in crate::adapters::http) const OK: Self = Self { status: "ok" };
}

/// Whether requests can be served.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct Readiness {
    /// Whether all components work.
    ready: bool,
    /// All components.
    components: Vec<Component>,
}

/// One part that the service needs.
#[derive(Debug, Serialize, JsonSchema)]
struct Component {
    /// Its name.
    name: &'static str,
    /// Whether it works.
    up: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<driving::Readiness> for Readiness {
    fn from(readiness: driving::Readiness) -> Self {
        let ready = readiness.is_ready();
        let component =
            |part: driving::ComponentHealth| Component { name: part.name, up: part.up, message: part.message };
        Self { ready, components: readiness.components.into_iter().map(component).collect() }
    }
}

/// All about the running service.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::adapters::http) struct Report {
    /// Version of the program.
    version: &'static str,
    /// Time since its start, in seconds.
    uptime_seconds: f64,
    /// Whether all components work.
    ready: bool,
    /// All components.
    components: Vec<Component>,
    /// The queue.
    queue: Queue,
    /// Connected workers; none when they cannot be read.
    workers_connected: Option<usize>,
}

/// The queue.
#[derive(Debug, Serialize, JsonSchema)]
struct Queue {
    /// Its name in the configuration.
    backend: &'static str,
    /// What an acknowledged change survives: `power_loss` or `process_crash`.
    durability: &'static str,
    /// What waits; none when it cannot be read.
    figures: Option<QueueFigures>,
}

impl From<driving::HealthReport> for Report {
    fn from(report: driving::HealthReport) -> Self {
        let Readiness { ready, components } = report.readiness.into();
        Self {
            version: report.version,
            uptime_seconds: report.uptime.as_secs_f64(),
            ready,
            components,
            queue: Queue {
                backend: report.queue.backend,
                durability: report.queue.durability.as_str(),
                figures: report.stats.as_ref().map(QueueFigures::from),
            },
            workers_connected: report.workers,
        }
    }
}
