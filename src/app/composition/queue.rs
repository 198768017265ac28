//! Which queue there is.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{metrics::Metrics, start_error::StartError};
use crate::{
    adapters::{
        metrics::MeteredQueue,
        queue::{
            Retention,
            embedded::{EmbeddedConfig, EmbeddedQueue},
        },
    },
    app::{
        config::{QueueBackend, Settings},
        services::JobEventRecorder,
    },
    ports::driven::{Clock, JobQueue, QueueInfo, WorkerRegistry},
};

/// A queue that is open, behind its ports.
pub(super) struct Queue {
    /// Where jobs live.
    pub(super) jobs: Arc<dyn JobQueue>,
    /// Where workers are known.
    pub(super) registry: Arc<dyn WorkerRegistry>,
    open: Arc<EmbeddedQueue>,
}

/// What the configured queue will be.
pub(super) fn info(settings: &Settings) -> QueueInfo {
    match settings.job.queue.backend {
        QueueBackend::Embedded => EmbeddedQueue::info_of(settings.job.queue.durability),
    }
}

impl Queue {
    /// Picks the adapter and opens it.
    pub(super) async fn open(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let events = Arc::new(JobEventRecorder::new(Arc::clone(&metrics.port)));
        let open = match settings.job.queue.backend {
            QueueBackend::Embedded => {
                let config = embedded(settings);
                let opening = spawn_blocking(move || EmbeddedQueue::open(config, clock, events));
                opening.await.map_err(|_| StartError::Panicked)??
            }
        };
        let jobs: Arc<dyn JobQueue> = match &metrics.on {
            Some(_) => Arc::new(MeteredQueue::new(Arc::clone(&open) as _, Arc::clone(&metrics.port))),
            None => Arc::clone(&open) as _,
        };
        Ok(Self { jobs, registry: Arc::clone(&open) as _, open })
    }

    /// Writes what is still asked for and closes.
    pub(super) async fn close(self) {
        // A writer that panicked has said so in the log.
        let _ = spawn_blocking(move || self.open.close()).await;
    }
}

fn embedded(settings: &Settings) -> EmbeddedConfig {
    let job = &settings.job;
    EmbeddedConfig {
        data_dir: settings.data_dir.clone(),
        durability: job.queue.durability,
        max_depth: job.queue.max_depth,
        lease: job.defaults.lease,
        retention: Retention {
            age: job.retention.age,
            max_jobs: job.retention.max_jobs,
            max_bytes: job.retention.max_bytes,
        },
    }
}
