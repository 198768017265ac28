//! The fleet as the workers stream tells it: who is connected, which processes live, and which names were taken over.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    follower::Sink,
    link::Stored,
    names::Names,
    progress::Progress,
    record::{WorkerRecord, decode},
};
use crate::{
    domain::{Hostname, Worker, worker::HEARTBEAT_EXPIRY},
    ports::driven::{Clock, QueueError},
};

/// What is known of the fleet.
pub(super) struct Fleet {
    pub(super) progress: Progress,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    workers: BTreeMap<String, (WorkerRecord, Timestamp)>,
    /// Last sign of life of each process: its sequence, and when it came here.
    beats: HashMap<Uuid, (u64, Instant)>,
    /// Hosts that have a new process: which, and since when.
    taken_over: HashMap<Hostname, (Uuid, Instant)>,
}

impl Fleet {
    pub(super) fn new() -> Self {
        Self { progress: Progress::new(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete in itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connected workers, ordered by hostname.
    pub(super) fn connected(&self, now: Timestamp) -> Vec<Worker> {
        let known = self.known();
        let workers = known.workers.values().filter(|(record, _)| !record.left);
        let workers = workers.map(|(record, heard_at)| record.worker(*heard_at));
        workers.filter(|worker| worker.is_connected(now)).collect()
    }

    /// The last sign of life of a process.
    pub(super) fn beat(&self, session: Uuid) -> Option<(u64, Instant)> {
        self.known().beats.get(&session).copied()
    }

    /// A sign of life that was looked up.
    pub(super) fn heard(&self, session: Uuid, sequence: u64) {
        self.known().beats.insert(session, (sequence, Instant::now()));
    }

    /// Hosts that have a new process, and since when.
    pub(super) fn taken_over(&self) -> Vec<(Hostname, Uuid, Instant)> {
        let known = self.known();
        known.taken_over.iter().map(|(host, (session, since))| (host.clone(), *session, *since)).collect()
    }

    /// Everything that the processes before this one ran has been decided.
    pub(super) fn settled(&self, host: &Hostname, session: Uuid) {
        self.known().taken_over.retain(|known, (latest, _)| known != host || *latest != session);
    }

    fn take(&self, record: WorkerRecord, now: Timestamp) {
        let mut known = self.known();
        let name = record.hostname.to_string();
        let before = known.workers.get(&name).map(|(before, _)| before.session);
        if before != Some(record.session) {
            known.taken_over.insert(record.hostname.clone(), (record.session, Instant::now()));
        }
        known.workers.insert(name, (record, now));
        known.workers.retain(|_, (record, heard_at)| record.worker(*heard_at).is_connected(now));
        known.beats.retain(|_, (_, at)| at.elapsed() < HEARTBEAT_EXPIRY * 4);
    }
}

/// Takes what the workers stream brings.
pub(super) struct Roll {
    pub(super) fleet: Arc<Fleet>,
    pub(super) names: Names,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) changed: Arc<Notify>,
    /// Sequence of the last record that came.
    pub(super) last: u64,
}

impl Sink for Roll {
    async fn begin(&mut self, _: &str, last: u64) -> Result<u64, QueueError> {
        // Another stream than before has smaller numbers.
        self.last = if last < self.last { 0 } else { self.last };
        Ok(self.last)
    }

    async fn take(&mut self, records: Vec<Stored>) -> Result<(), QueueError> {
        for stored in records {
            self.last = stored.sequence;
            if let Some(session) = self.names.session_of(&stored.subject) {
                self.fleet.heard(session, stored.sequence);
            } else if let Some(record) = decode::<WorkerRecord>(&stored.payload) {
                self.fleet.take(record, self.clock.now());
            }
        }
        if self.fleet.progress.is_ready() {
            self.fleet.progress.reached(self.last);
        }
        self.changed.notify_one();
        Ok(())
    }

    fn caught_up(&mut self, sequence: u64) {
        self.fleet.progress.reached(sequence);
        self.changed.notify_one();
    }
}
