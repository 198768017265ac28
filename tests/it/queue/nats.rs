//! The NATS queue under the conformance suite: a process that serves the API and works, against a server of its own.

use std::{path::Path, sync::Arc};

use osapi::{
    adapters::{
        metrics::NoopMetrics,
        queue::{
            Retention,
            nats::{NatsConfig, NatsQueue, NatsServer as Address},
        },
    },
    ports::{
        driven::{Clock, JobQueue, WorkerRegistry},
        driving::JobEvents,
    },
};
use tempfile::TempDir;
use tokio::{runtime::Handle, task::block_in_place};

use super::{
    fixture::{Backend, Options, Ports, hostname, worker},
    nats_server::NatsServer,
};

/// A NATS queue, its server and the directory of its read model.
pub(super) struct Nats {
    pub(super) server: NatsServer,
    directory: TempDir,
    queue: Option<Arc<NatsQueue>>,
    lives: u128,
}

/// What a process is made with; without a directory it only works.
pub(super) fn config(url: String, directory: Option<&Path>, options: &Options) -> NatsConfig {
    NatsConfig {
        server: Address::at(url),
        model_dir: directory.map(Path::to_owned),
        max_depth: options.max_depth,
        lease: options.lease,
        retention: Retention { age: options.retention_age, max_jobs: options.retention_jobs, max_bytes: 1 << 30 },
        removals_visible: options.removals_visible,
    }
}

impl Backend for Nats {
    fn new() -> Self {
        Self { server: NatsServer::start(), directory: tempfile::tempdir().unwrap(), queue: None, lives: 0 }
    }

    fn open(&mut self, options: &Options, clock: Arc<dyn Clock>, events: Arc<dyn JobEvents>) -> Ports {
        let config = config(self.server.url(), Some(self.directory.path()), options);
        self.lives += 1;
        let life = self.lives;
        let queue = block_in_place(|| {
            Handle::current().block_on(async {
                let queue = NatsQueue::connect(config, clock, events, Arc::new(NoopMetrics)).await.unwrap();
                if life > 1 {
                    come_back(&queue, life).await;
                }
                queue
            })
        });
        self.queue = Some(Arc::clone(&queue));
        Ports { registry: Arc::clone(&queue) as _, queue }
    }

    /// Leaves without a word about what runs.
    fn kill(&mut self) {
        if let Some(queue) = self.queue.take() {
            block_in_place(|| Handle::current().block_on(queue.close()));
        }
    }
}

/// The workers of the process before come back with it: by that, and by nothing else, others know at once that what
/// they ran runs no more.
async fn come_back(queue: &NatsQueue, life: u128) {
    for host in ["web-1", "web-2"] {
        let worker = worker(host, 1_000 + life);
        let instance = worker.instance;
        queue.heartbeat(worker).await.unwrap();
        queue.leave(&hostname(host), instance).await.unwrap();
    }
    queue.check().await.unwrap();
}
