//! What the worker of this process has done; on the page while the worker is there.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use super::instruments::{Instruments, exact, labels};
use crate::{
    adapters::metrics::catalogue::job,
    domain::{ExecutionStatus, Hostname},
};

/// The worker's name and whether it is there, beside its counts.
#[derive(Debug, Default)]
struct Worker {
    hostname: Option<Hostname>,
    joined: bool,
}

#[derive(Debug, Default)]
struct Processed {
    worker: RwLock<Worker>,
    counts: [AtomicU64; ExecutionStatus::ALL.len()],
}

pub(super) struct WorkerSeries {
    processed: Arc<Processed>,
}

impl WorkerSeries {
    pub(super) fn new(instruments: &Instruments) -> Self {
        let processed = Arc::new(Processed::default());
        let read = Arc::clone(&processed);
        instruments.observable(&job::PROCESSED_BY_WORKER, move |_, series| {
            let worker = read.worker.read().unwrap_or_else(PoisonError::into_inner);
            let Some(hostname) = worker.hostname.as_ref().filter(|_| worker.joined) else { return };
            for status in ExecutionStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
                let count = read.counts[status.index()].load(Ordering::Relaxed);
                series(exact(count), &labels(&job::PROCESSED_BY_WORKER, [status.as_str(), hostname.as_str()]));
            }
        });
        Self { processed }
    }

    pub(super) fn finished(&self, status: ExecutionStatus) {
        self.processed.counts[status.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// A worker that comes back under its name goes on counting where it was; a counter never goes back by itself.
    pub(super) fn joined(&self, hostname: &Hostname) {
        let mut worker = self.processed.worker.write().unwrap_or_else(PoisonError::into_inner);
        if worker.hostname.as_ref() != Some(hostname) {
            self.processed.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
            worker.hostname = Some(hostname.clone());
        }
        worker.joined = true;
    }

    pub(super) fn left(&self) {
        self.processed.worker.write().unwrap_or_else(PoisonError::into_inner).joined = false;
    }
}
