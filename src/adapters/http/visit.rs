//! What the layers around a handler tell each other about a request: its id, and what the metrics will say of it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU16, Ordering::Relaxed},
};

use super::request_id::RequestId;
use crate::ports::driven::RouteId;

/// What the edge gives to every request on its way.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) id: RequestId,
    /// Only measured requests are watched.
    pub(super) watched: Option<Arc<Watched>>,
}

/// Where a measured request has arrived: written by the guard of its route, read by the edge when it is over.
#[derive(Debug)]
pub(super) struct Watched {
    route: AtomicU16,
    waits: AtomicBool,
}

impl Watched {
    /// A request that has arrived nowhere yet.
    pub(super) fn new(unmatched: RouteId) -> Arc<Self> {
        Arc::new(Self { route: AtomicU16::new(unmatched.0), waits: AtomicBool::new(false) })
    }

    /// It has found its route; `waits` when it asks to wait for a job.
    pub(super) fn arrive(&self, route: RouteId, waits: bool) {
        self.route.store(route.0, Relaxed);
        self.waits.store(waits, Relaxed);
    }

    pub(super) fn route(&self) -> RouteId {
        RouteId(self.route.load(Relaxed))
    }

    pub(super) fn waits(&self) -> bool {
        self.waits.load(Relaxed)
    }
}

/// Marks the answer to a request whose handler panicked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panicked;
