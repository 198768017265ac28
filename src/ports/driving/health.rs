//! Is the service able to do its work?

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::QueueStats;
use crate::ports::driven::QueueInfo;

/// One part that the service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentHealth {
    /// `queue`, `workers` or `metrics`.
    pub name: &'static str,
    /// Whether it works.
    pub up: bool,
    /// Whether requests need it. Jobs run without metrics, and no traffic must be turned away for want of a page.
    pub required: bool,
    /// Why not, for the operator.
    pub message: Option<String>,
}

/// Whether requests can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// All components.
    pub components: Vec<ComponentHealth>,
}

impl Readiness {
    /// Whether all components work that requests need.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.components.iter().all(|component| component.up || !component.required)
    }
}

/// All about the running service.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthReport {
    /// Version of the program.
    pub version: &'static str,
    /// Time since the process started.
    pub uptime: Duration,
    /// What readiness says.
    pub readiness: Readiness,
    /// What the queue is.
    pub queue: QueueInfo,
    /// The queue's figures; none when it cannot be read.
    pub stats: Option<QueueStats>,
    /// Connected workers; none when the registry cannot be read.
    pub workers: Option<usize>,
}

/// Health. Liveness needs no port: a process that answers is alive.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Health: Send + Sync {
    /// Whether queue and registry work. Bounded in time: a component that does not answer within a second is down.
    async fn readiness(&self) -> Readiness;

    /// The whole report.
    async fn report(&self) -> HealthReport;
}
