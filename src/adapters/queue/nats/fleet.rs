//! The fleet as the workers stream tells it: who is connected, which processes live, and which names were taken over.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use jiff::SignedDuration;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    follower::{Arrived, Sink, stored_at},
    link::Link,
    progress::Progress,
    record::{WorkerRecord, decode, time},
    server_time::is_off,
    standing::Standing,
};
use crate::{
    adapters::queue::store::between,
    domain::{
        Hostname, Worker,
        worker::{HEARTBEAT_EXPIRY, is_connected},
    },
    ports::driven::QueueError,
};

/// What is known of the fleet.
pub(super) struct Fleet {
    pub(super) progress: Progress,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    workers: BTreeMap<String, Heard>,
    /// Last sign of life of each process: its sequence, and when it came here.
    beats: HashMap<Uuid, (u64, Instant)>,
    /// Hosts that have a new process: which, and since when.
    taken_over: HashMap<Hostname, (Uuid, Instant)>,
}

/// A worker, as it was last heard of.
struct Heard {
    record: WorkerRecord,
    /// The uptime of this host, in microseconds.
    uptime: i64,
    /// The server's time.
    at: i64,
    clock_offset: SignedDuration,
}

impl Heard {
    fn is_connected(&self, uptime: i64) -> bool {
        is_connected(between(self.uptime, uptime))
    }
}

impl Fleet {
    pub(super) fn new() -> Self {
        Self { progress: Progress::new(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete in itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connected workers at this uptime of the host, ordered by hostname.
    pub(super) fn connected(&self, uptime: i64) -> Vec<Worker> {
        let known = self.known();
        let connected = known.workers.values().filter(|heard| !heard.record.left && heard.is_connected(uptime));
        connected.map(|heard| heard.record.worker(time(heard.at), heard.clock_offset)).collect()
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

    fn take(&self, heard: Heard, uptime: i64) {
        let mut known = self.known();
        let (host, session) = (heard.record.hostname.clone(), heard.record.session);
        let name = host.to_string();
        let before = known.workers.get(&name);
        let clock_was_off = before.is_some_and(|before| is_off(before.clock_offset));
        if before.map(|before| before.record.session) != Some(session) {
            known.taken_over.insert(host.clone(), (session, Instant::now()));
        }
        let ahead_seconds = heard.clock_offset.as_secs_f64();
        match (clock_was_off, is_off(heard.clock_offset)) {
            (false, true) => {
                tracing::warn!(worker = %host, ahead_seconds, "the clock of a worker's host differs from this host's clock");
            }
            (true, false) => {
                tracing::info!(worker = %host, "the clock of a worker's host agrees with this host's clock again");
            }
            _ => {}
        }
        known.workers.insert(name, heard);
        known.workers.retain(|_, heard| heard.is_connected(uptime));
        known.beats.retain(|_, (_, at)| at.elapsed() < HEARTBEAT_EXPIRY * 4);
    }
}

/// Takes what the workers stream brings.
pub(super) struct Roll {
    pub(super) fleet: Arc<Fleet>,
    pub(super) link: Arc<Link>,
    pub(super) changed: Arc<Notify>,
    /// The identity of the stream, and the sequence of the last record that came.
    pub(super) last: (String, u64),
}

impl Sink for Roll {
    async fn begin(&mut self, standing: &Standing) -> Result<u64, QueueError> {
        // Another stream than before, or an older state of it, has other records.
        if self.last.0 != standing.identity || standing.last < self.last.1 {
            self.fleet.progress.begins_anew();
            self.last = (standing.identity.clone(), 0);
        }
        Ok(self.last.1)
    }

    async fn take(&mut self, records: Vec<Arrived>, _: u64) -> Result<(), QueueError> {
        let time = &self.link.time;
        for Arrived { stored, age } in records {
            self.last.1 = stored.sequence;
            if let Some(session) = self.link.names.session_of(&stored.subject) {
                self.fleet.heard(session, stored.sequence);
            } else if let Some(record) = decode::<WorkerRecord>(&stored.payload) {
                let sent = record.time_of_day.map(|sent| SignedDuration::from_micros(sent - stored.at));
                let clock_offset = sent.map_or(SignedDuration::ZERO, |sent| sent - time.own_offset());
                let uptime = stored_at(time.uptime(), age);
                self.fleet.take(Heard { record, uptime, at: stored.at, clock_offset }, time.uptime());
            }
        }
        self.fleet.progress.moved(self.last.1, false);
        self.changed.notify_one();
        Ok(())
    }

    fn caught_up(&mut self, sequence: u64) {
        self.fleet.progress.reached(sequence);
        self.changed.notify_one();
    }

    fn failed(&mut self, error: &QueueError) {
        tracing::debug!(%error, "the workers cannot be followed");
    }
}
