//! The series that are read from the snapshot of the fleet. A part that is absent has none, except that
//! `osapi_queue_connected` says so.

use std::collections::HashSet;

use super::{
    instruments::{Instruments, exact, labels},
    observation::Observation,
};
use crate::{
    adapters::metrics::catalogue::{Family, fleet},
    domain::{Hostname, JobStatus, QueueStats, Worker},
    ports::driven::QueueInfo,
};

pub(super) fn register(instruments: &Instruments, info: QueueInfo) {
    register_queue(instruments, info);
    register_ledger(instruments);
    register_workers(instruments);
    instruments.observable(&fleet::COMPONENT_UP, |observation, series| {
        for (component, up) in &observation.fleet.components {
            series(f64::from(u8::from(*up)), &labels(&fleet::COMPONENT_UP, [component]));
        }
    });
}

fn register_queue(instruments: &Instruments, info: QueueInfo) {
    from_queue(instruments, &fleet::QUEUE_DEPTH, |stats| exact(stats.depth));
    from_queue(instruments, &fleet::QUEUE_OLDEST_AGE, |stats| stats.oldest_age().as_secs_f64());
    from_queue(instruments, &fleet::LONGEST_RUNNING, |stats| stats.longest_running().as_secs_f64());
    from_queue(instruments, &fleet::LEDGER_CREATED, |stats| exact(stats.ledger.created));
    instruments.observable(&fleet::QUEUE_CONNECTED, |observation, series| {
        series(f64::from(u8::from(observation.fleet.queue_connected)), &[]);
    });
    instruments.observable(&fleet::QUEUE_INFO, move |_, series| {
        series(1.0, &labels(&fleet::QUEUE_INFO, [info.backend, info.durability.as_str()]));
    });
}

fn register_ledger(instruments: &Instruments) {
    let statuses = |stats: &QueueStats| JobStatus::ALL.map(|status| (status, stats.by_status(status)));
    instruments.observable(&fleet::LEDGER_JOBS, move |observation, series| {
        for (status, jobs) in observation.fleet.queue.iter().flat_map(statuses) {
            series(exact(jobs), &labels(&fleet::LEDGER_JOBS, [status.as_str()]));
        }
    });
    instruments.observable(&fleet::LEDGER_COMPLETED, |observation, series| {
        let Some(stats) = &observation.fleet.queue else { return };
        for status in JobStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            let completed = stats.ledger.completed[status.index()];
            series(exact(completed), &labels(&fleet::LEDGER_COMPLETED, [status.as_str()]));
        }
    });
}

fn register_workers(instruments: &Instruments) {
    instruments.observable(&fleet::WORKERS_CONNECTED, |observation, series| {
        if let Some(workers) = &observation.fleet.workers {
            series(exact(workers.len() as u64), &[]);
        }
    });
    from_workers(instruments, &fleet::WORKER_SLOTS, |worker| f64::from(worker.slots));
    from_workers(instruments, &fleet::WORKER_SLOTS_USED, |worker| f64::from(worker.slots_used));
    from_workers(instruments, &fleet::WORKER_CLOCK_OFFSET, |worker| worker.clock_offset.as_secs_f64());
    instruments.observable(&fleet::QUEUE_ABSENT_HOSTS, |observation, series| {
        if let (Some(stats), Some(workers)) = (&observation.fleet.queue, &observation.fleet.workers) {
            let connected: HashSet<&Hostname> = workers.iter().map(|worker| &worker.hostname).collect();
            let absent = stats.hosts_waited_for.iter().filter(|host| !connected.contains(host)).count();
            series(exact(absent as u64), &[]);
        }
    });
    from_workers(instruments, &fleet::WORKER_LAST_HEARTBEAT, |worker| {
        worker.last_heartbeat_at.as_duration().as_secs_f64()
    });
}

fn from_queue(instruments: &Instruments, family: &Family, value: fn(&QueueStats) -> f64) {
    instruments.observable(family, move |observation: &Observation, series| {
        if let Some(stats) = &observation.fleet.queue {
            series(value(stats), &[]);
        }
    });
}

fn from_workers(instruments: &Instruments, family: &'static Family, value: fn(&Worker) -> f64) {
    instruments.observable(family, move |observation, series| {
        for worker in observation.fleet.workers.iter().flatten() {
            series(value(worker), &labels(family, [worker.hostname.as_str()]));
        }
    });
}
