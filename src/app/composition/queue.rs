//! Which queue there is.

use std::{sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use super::{metrics::Metrics, role::Role, start_error::StartError};
use crate::{
    adapters::{
        metrics::MeteredQueue,
        queue::{
            Retention,
            embedded::{EmbeddedConfig, EmbeddedQueue},
            nats::{NatsConfig, NatsQueue, NatsServer, NatsTls},
        },
    },
    app::{
        config::{QueueBackend, Settings},
        services::JobEventRecorder,
    },
    ports::driven::{Clock, JobQueue, QueueInfo, WorkerRegistry},
};

/// How long other API processes may be away without having to make their copy of the jobs anew.
const REMOVALS_VISIBLE: Duration = Duration::from_mins(10);

/// A queue that is open, behind its ports.
pub(super) struct Queue {
    /// Where jobs live.
    pub(super) jobs: Arc<dyn JobQueue>,
    /// Where workers are known.
    pub(super) registry: Arc<dyn WorkerRegistry>,
    open: Open,
}

/// What has to be closed.
enum Open {
    Embedded(Arc<EmbeddedQueue>),
    Nats(Arc<NatsQueue>),
}

/// What the configured queue will be.
pub(super) fn info(settings: &Settings) -> QueueInfo {
    let queue = &settings.job.queue;
    match queue.backend {
        QueueBackend::Embedded => EmbeddedQueue::info_of(queue.durability),
        QueueBackend::Nats => NatsQueue::info_of(queue.nats.replicas),
    }
}

impl Queue {
    /// Picks the adapter and opens it.
    pub(super) async fn open(
        settings: &Settings,
        role: Role,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let events = Arc::new(JobEventRecorder::new(Arc::clone(&metrics.port)));
        let (jobs, registry, open): (Arc<dyn JobQueue>, Arc<dyn WorkerRegistry>, _) = match settings.job.queue.backend {
            QueueBackend::Embedded => {
                let config = embedded(settings);
                let opening = spawn_blocking(move || EmbeddedQueue::open(config, clock, events));
                let open = opening.await.map_err(|_| StartError::Panicked)??;
                (Arc::clone(&open) as _, Arc::clone(&open) as _, Open::Embedded(open))
            }
            QueueBackend::Nats => {
                let port = Arc::clone(&metrics.port);
                let open = NatsQueue::connect(nats(settings, role), clock, events, port).await?;
                (Arc::clone(&open) as _, Arc::clone(&open) as _, Open::Nats(open))
            }
        };
        let jobs = match &metrics.on {
            Some(_) => Arc::new(MeteredQueue::new(jobs, Arc::clone(&metrics.port))),
            None => jobs,
        };
        Ok(Self { jobs, registry, open })
    }

    /// Bytes of the largest record that the queue stores.
    pub(super) fn largest_record(&self) -> usize {
        match &self.open {
            Open::Embedded(_) => usize::MAX,
            Open::Nats(open) => open.largest_record(),
        }
    }

    /// Returns when the queue has failed for good, and the process must end; never when that does not happen.
    pub(super) async fn failed(&self) {
        match &self.open {
            Open::Embedded(open) => open.failed().await,
            // Its tasks are started again.
            Open::Nats(_) => std::future::pending().await,
        }
    }

    /// Writes what is still asked for and closes.
    pub(super) async fn close(self) {
        match self.open {
            // A writer that panicked has said so in the log.
            Open::Embedded(open) => drop(spawn_blocking(move || open.close()).await),
            Open::Nats(open) => open.close().await,
        }
    }
}

fn retention(settings: &Settings) -> Retention {
    let retention = &settings.job.retention;
    Retention { age: retention.age, max_jobs: retention.max_jobs, max_bytes: retention.max_bytes }
}

fn embedded(settings: &Settings) -> EmbeddedConfig {
    let job = &settings.job;
    EmbeddedConfig {
        data_dir: settings.data_dir.clone(),
        durability: job.queue.durability,
        max_depth: job.queue.max_depth,
        lease: job.defaults.lease,
        retention: retention(settings),
    }
}

fn nats(settings: &Settings, role: Role) -> NatsConfig {
    let (job, nats) = (&settings.job, &settings.job.queue.nats);
    NatsConfig {
        server: NatsServer {
            urls: nats.url.clone(),
            user: nats.user.clone().zip(nats.password.as_ref().map(|password| password.as_str().to_owned())),
            credentials_file: nats.credentials_file.clone(),
            tls: NatsTls {
                ca_file: nats.tls.ca_file.clone(),
                certificate: nats.tls.certificate_file.clone().zip(nats.tls.key_file.clone()),
            },
            replicas: nats.replicas,
            prefix: nats.prefix.clone(),
        },
        model_dir: role.serves().then(|| settings.data_dir.clone()),
        max_depth: job.queue.max_depth,
        lease: job.defaults.lease,
        retention: retention(settings),
        removals_visible: REMOVALS_VISIBLE,
    }
}
