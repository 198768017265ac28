//! What runs in a process as long as its queue is open.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, RwLock, mpsc},
    task::JoinHandle,
};

use super::{
    config::NatsConfig,
    executions::Executions,
    fleet::{Fleet, Roll},
    follower::{Followed, Sink, follow},
    link::Link,
    nats_queue::Served,
    registry::{Heard, Registry, come_back, listen},
    removal::Removals,
    replica::{Applier, Copy, Replica},
    reports::Reports,
    submitting::Acceptance,
    tasks::spawn,
    upkeep::{Upkeep, Watched},
};
use crate::ports::driven::MetricsPort;

/// What the tasks of a process work on.
pub(super) struct Start<'a> {
    pub(super) link: &'a Arc<Link>,
    pub(super) executions: &'a Arc<Executions>,
    pub(super) registry: &'a Arc<Registry>,
    /// Held while something is written.
    pub(super) open: &'a Arc<RwLock<bool>>,
    pub(super) metrics: &'a Arc<dyn MetricsPort>,
}

impl Start<'_> {
    /// Starts what every process does: it hears what it is told, keeps its names and ends its own leases.
    pub(super) fn every_process(&self, told: Heard) -> Vec<JoinHandle<()>> {
        let told = Arc::new(Mutex::new(told));
        let (registry, executions) = (Arc::clone(self.registry), Arc::clone(self.executions));
        let listening = spawn("listen", Arc::clone(self.metrics), move || {
            let (told, registry, executions) = (Arc::clone(&told), Arc::clone(&registry), Arc::clone(&executions));
            async move { listen(&mut *told.lock().await, registry, executions).await }
        });
        let registry = Arc::clone(self.registry);
        let coming_back = spawn("come back", Arc::clone(self.metrics), move || come_back(Arc::clone(&registry)));
        let executions = Arc::clone(self.executions);
        let keeping = spawn("leases", Arc::clone(self.metrics), move || {
            let executions = Arc::clone(&executions);
            async move { executions.keep_leases().await }
        });
        vec![listening, coming_back, keeping]
    }

    /// Starts what a process does that serves the API: it follows jobs and workers, and does what is due.
    pub(super) fn serving(
        &self,
        config: &NatsConfig,
        replica: Arc<Replica>,
        copy: Copy,
        reports: Arc<Reports>,
    ) -> (Served, Vec<JoinHandle<()>>) {
        let fleet = Arc::new(Fleet::new());
        let (pokes, rounds) = mpsc::unbounded_channel();
        let (link, metrics) = (Arc::clone(self.link), Arc::clone(self.metrics));
        let applier = Applier::new(copy, link, Arc::clone(&replica), reports, metrics);
        let roll = Roll {
            fleet: Arc::clone(&fleet),
            link: Arc::clone(self.link),
            changed: Arc::clone(&replica.changed),
            last: (String::new(), 0),
        };
        let upkeep = Upkeep {
            executions: Arc::clone(self.executions),
            replica: Arc::clone(&replica),
            fleet: Arc::clone(&fleet),
            lease: config.lease,
            removals: Removals::new(config.retention, config.removals_visible),
            pokes: rounds,
            open: Arc::clone(self.open),
            watched: Watched::default(),
        };
        let upkeep = Arc::new(Mutex::new(upkeep));
        let keeping = spawn("upkeep", Arc::clone(self.metrics), move || {
            let upkeep = Arc::clone(&upkeep);
            async move { upkeep.lock().await.work().await }
        });
        let names = &self.link.names;
        let jobs = self.following("jobs", names.state_stream(), |link| &link.streams.state, applier);
        let workers = self.following("workers", names.workers_stream(), |link| &link.streams.workers, roll);
        let (executions, max_depth) = (Arc::clone(self.executions), config.max_depth);
        let acceptance = Acceptance { executions, replica: Arc::clone(&replica), max_depth };
        (Served { replica, fleet, acceptance, pokes }, vec![jobs, workers, keeping])
    }

    fn following(
        &self,
        task: &'static str,
        name: String,
        stream: fn(&Link) -> &async_nats::jetstream::stream::Stream<()>,
        sink: impl Sink + 'static,
    ) -> JoinHandle<()> {
        let (link, sink) = (Arc::clone(self.link), Arc::new(Mutex::new(sink)));
        spawn(task, Arc::clone(self.metrics), move || {
            let (link, name, sink) = (Arc::clone(&link), name.clone(), Arc::clone(&sink));
            async move {
                let followed = Followed { link: &link, name, stream: stream(&link) };
                follow(&followed, &mut *sink.lock().await).await;
            }
        })
    }
}
