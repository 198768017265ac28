//! The workers of this process, and who of them drains.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::{
    domain::{Hostname, InstanceId, Worker, WorkerState},
    ports::driven::{QueueError, QueueErrorKind},
};

/// The workers. They are as mortal as the process, so memory is where they are kept; whether a host drains is kept in
/// the store beside.
#[derive(Debug, Default)]
pub(super) struct Registry {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    workers: BTreeMap<String, Worker>,
    draining: HashSet<Hostname>,
}

impl Registry {
    /// With the hosts that drain.
    pub(super) fn new(draining: HashSet<Hostname>) -> Self {
        Self { known: Mutex::new(Known { workers: BTreeMap::new(), draining }) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete in itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn heartbeat(&self, mut worker: Worker, now: Timestamp) -> Result<(), QueueError> {
        let mut known = self.known();
        let name = worker.hostname.to_string();
        let other = known.workers.get(&name).filter(|other| other.instance != worker.instance);
        if other.is_some_and(|other| other.is_connected(now)) {
            let message = format!("another live worker has the hostname {name}");
            return Err(QueueError::new(QueueErrorKind::HostnameTaken, message));
        }
        worker.last_heartbeat_at = now;
        known.workers.insert(name, worker);
        known.workers.retain(|_, worker| worker.is_connected(now));
        Ok(())
    }

    pub(super) fn leave(&self, hostname: &Hostname, instance: InstanceId) {
        let mut known = self.known();
        let name = hostname.to_string();
        if known.workers.get(&name).is_some_and(|worker| worker.instance == instance) {
            known.workers.remove(&name);
        }
    }

    /// The connected workers, ordered by hostname.
    pub(super) fn connected(&self, now: Timestamp, slots_used: impl Fn(&Hostname) -> usize) -> Vec<Worker> {
        let known = self.known();
        let connected = known.workers.values().filter(|worker| worker.is_connected(now));
        connected
            .map(|worker| {
                let draining = known.draining.contains(&worker.hostname);
                Worker {
                    state: if draining { WorkerState::Draining } else { WorkerState::Ready },
                    slots_used: u32::try_from(slots_used(&worker.hostname)).unwrap_or(u32::MAX),
                    ..worker.clone()
                }
            })
            .collect()
    }

    pub(super) fn set_draining(&self, hostname: &Hostname, draining: bool) {
        let mut known = self.known();
        if draining {
            known.draining.insert(hostname.clone());
        } else {
            known.draining.remove(hostname);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Labels, worker::HEARTBEAT_EXPIRY};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn worker(instance: u128) -> Worker {
        Worker {
            hostname: "web-1".parse().expect("a hostname"),
            instance: InstanceId(uuid::Uuid::from_u128(instance)),
            labels: Labels::default(),
            state: WorkerState::Ready,
            slots: 3,
            slots_used: 0,
            version: "0.0.0".to_owned(),
            commands_enabled: false,
            started_at: at(0),
            last_heartbeat_at: at(0),
        }
    }

    #[test]
    fn a_worker_leaves_the_list_after_three_missed_heartbeats() {
        let registry = Registry::default();
        registry.heartbeat(worker(1), at(0)).expect("enters");
        let last = i64::try_from(HEARTBEAT_EXPIRY.as_secs()).expect("small");
        assert_eq!(registry.connected(at(last), |_| 2).len(), 1);
        assert!(registry.connected(at(last + 1), |_| 2).is_empty());
    }

    #[test]
    fn a_live_namesake_is_refused_and_a_silent_one_replaced() {
        let registry = Registry::default();
        registry.heartbeat(worker(1), at(0)).expect("enters");
        let refused = registry.heartbeat(worker(2), at(5)).expect_err("it lives");
        assert_eq!(refused.kind(), QueueErrorKind::HostnameTaken);
        registry.heartbeat(worker(2), at(16)).expect("the first is silent");
        // The first one's farewell does not remove the second.
        registry.leave(&worker(1).hostname, worker(1).instance);
        assert_eq!(registry.connected(at(16), |_| 0)[0].instance, worker(2).instance);
    }

    #[test]
    fn draining_and_used_slots_are_shown() {
        let registry = Registry::default();
        registry.heartbeat(worker(1), at(0)).expect("enters");
        registry.set_draining(&worker(1).hostname, true);
        let shown = registry.connected(at(1), |_| 2);
        assert_eq!((shown[0].state, shown[0].slots_used), (WorkerState::Draining, 2));
    }
}
