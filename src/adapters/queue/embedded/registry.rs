//! The workers of this process, and who of them drains.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    domain::{Hostname, InstanceId, Worker, WorkerState, worker::is_connected},
    ports::driven::{Clock, QueueError, QueueErrorKind},
};

/// The workers. They are as mortal as the process, so memory is where they are kept; whether a host drains is kept in
/// the store beside, whose writer says it here in the order in which it is decided.
pub(super) struct Registry {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

struct Known {
    /// Each with the uptime of the host at its last heartbeat.
    workers: BTreeMap<String, (Worker, Duration)>,
    draining: HashSet<Hostname>,
}

impl Registry {
    /// With the hosts that drain.
    pub(super) fn new(draining: HashSet<Hostname>, clock: Arc<dyn Clock>) -> Self {
        Self { clock, known: Mutex::new(Known { workers: BTreeMap::new(), draining }) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete in itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn heartbeat(&self, mut worker: Worker) -> Result<(), QueueError> {
        let (now, mut known) = (self.clock.uptime().elapsed, self.known());
        let name = worker.hostname.to_string();
        let other = known.workers.get(&name).filter(|(other, _)| other.instance != worker.instance);
        if other.is_some_and(|(_, heard)| is_connected(now.saturating_sub(*heard))) {
            let message = format!("another live worker has the hostname {name}");
            return Err(QueueError::new(QueueErrorKind::HostnameTaken, message));
        }
        worker.last_heartbeat_at = self.clock.now();
        known.workers.insert(name, (worker, now));
        known.workers.retain(|_, (_, heard)| is_connected(now.saturating_sub(*heard)));
        Ok(())
    }

    pub(super) fn leave(&self, hostname: &Hostname, instance: InstanceId) {
        let mut known = self.known();
        let name = hostname.to_string();
        if known.workers.get(&name).is_some_and(|(worker, _)| worker.instance == instance) {
            known.workers.remove(&name);
        }
    }

    /// The connected workers, ordered by hostname.
    pub(super) fn connected(&self, slots_used: impl Fn(&Hostname) -> usize) -> Vec<Worker> {
        let (now, known) = (self.clock.uptime().elapsed, self.known());
        let connected = known.workers.values().filter(|(_, heard)| is_connected(now.saturating_sub(*heard)));
        connected
            .map(|(worker, _)| {
                let draining = known.draining.contains(&worker.hostname);
                Worker {
                    state: if draining { WorkerState::Draining } else { WorkerState::Ready },
                    slots_used: u32::try_from(slots_used(&worker.hostname)).unwrap_or(u32::MAX),
                    ..worker.clone()
                }
            })
            .collect()
    }

    /// Said by the writer when it is durable.
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
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::{
        domain::{Labels, worker::HEARTBEAT_EXPIRY},
        ports::driven::Uptime,
    };

    /// A host whose clocks the test sets, in seconds.
    #[derive(Default)]
    struct Host {
        day: AtomicI64,
        uptime: AtomicU64,
    }

    impl Clock for Host {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_800_000_000 + self.day.load(SeqCst)).expect("in range")
        }

        fn uptime(&self) -> Uptime {
            Uptime { boot: uuid::Uuid::nil(), elapsed: Duration::from_secs(self.uptime.load(SeqCst)) }
        }
    }

    fn registry() -> (Registry, Arc<Host>) {
        let host: Arc<Host> = Arc::default();
        (Registry::new(HashSet::new(), Arc::clone(&host) as _), host)
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
            started_at: Timestamp::UNIX_EPOCH,
            last_heartbeat_at: Timestamp::UNIX_EPOCH,
            clock_offset: SignedDuration::ZERO,
        }
    }

    #[test]
    fn a_worker_leaves_the_list_after_three_missed_heartbeats() {
        let (registry, host) = registry();
        registry.heartbeat(worker(1)).expect("enters");
        host.uptime.fetch_add(HEARTBEAT_EXPIRY.as_secs(), SeqCst);
        assert_eq!(registry.connected(|_| 2).len(), 1);
        host.uptime.fetch_add(1, SeqCst);
        assert!(registry.connected(|_| 2).is_empty());
    }

    #[test]
    fn a_time_of_day_that_is_set_changes_nothing() {
        let (registry, host) = registry();
        registry.heartbeat(worker(1)).expect("enters");
        for step in [3_600, -7_200] {
            host.day.fetch_add(step, SeqCst);
            assert_eq!(registry.connected(|_| 0).len(), 1);
            assert!(registry.heartbeat(worker(2)).is_err(), "the first one lives");
        }
        host.uptime.fetch_add(HEARTBEAT_EXPIRY.as_secs() + 1, SeqCst);
        assert!(registry.connected(|_| 0).is_empty());
    }

    #[test]
    fn a_live_namesake_is_refused_and_a_silent_one_replaced() {
        let (registry, host) = registry();
        registry.heartbeat(worker(1)).expect("enters");
        host.uptime.fetch_add(5, SeqCst);
        let refused = registry.heartbeat(worker(2)).expect_err("it lives");
        assert_eq!(refused.kind(), QueueErrorKind::HostnameTaken);
        host.uptime.fetch_add(11, SeqCst);
        registry.heartbeat(worker(2)).expect("the first is silent");
        // The first one's farewell does not remove the second.
        registry.leave(&worker(1).hostname, worker(1).instance);
        assert_eq!(registry.connected(|_| 0)[0].instance, worker(2).instance);
    }

    #[test]
    fn draining_and_used_slots_are_shown() {
        let (registry, _) = registry();
        registry.heartbeat(worker(1)).expect("enters");
        registry.set_draining(&worker(1).hostname, true);
        let shown = registry.connected(|_| 2);
        assert_eq!((shown[0].state, shown[0].slots_used), (WorkerState::Draining, 2));
    }
}
