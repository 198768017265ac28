//! The series of the process and of its runtime.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::runtime::Handle;

use super::{
    instruments::{Instruments, exact, labels},
    process_figures::{ProcessFigures, boot_time},
};
use crate::adapters::metrics::catalogue::{Family, process};

pub(super) fn register(instruments: &Instruments, log_records_dropped: &Arc<AtomicU64>, runtime: Option<&Handle>) {
    let dropped = Arc::clone(log_records_dropped);
    instruments.observable(&process::LOG_RECORDS_DROPPED, move |_, series| {
        series(exact(dropped.load(Ordering::Relaxed)), &[]);
    });
    from_process(instruments, &process::CPU, |figures| Some(figures.cpu.as_secs_f64()));
    from_process(instruments, &process::RESIDENT_MEMORY, |figures| Some(exact(figures.resident_bytes)));
    from_process(instruments, &process::OPEN_FDS, |figures| figures.open_fds.map(exact));
    from_process(instruments, &process::MAX_FDS, |figures| figures.max_fds.map(exact));
    from_process(instruments, &process::THREADS, |figures| Some(exact(figures.threads)));
    // Read once: were it read anew, a clock that is set would move the start of the process.
    let boot = boot_time();
    from_process(instruments, &process::START_TIME, move |figures| {
        boot.map(|boot| exact(boot) + figures.started_after_boot.as_secs_f64())
    });
    if let Some(runtime) = runtime {
        register_runtime(instruments, runtime);
    }
}

fn from_process(
    instruments: &Instruments,
    family: &Family,
    value: impl Fn(&ProcessFigures) -> Option<f64> + Send + Sync + 'static,
) {
    instruments.observable(family, move |observation, series| {
        if let Some(value) = observation.process.as_ref().and_then(&value) {
            series(value, &[]);
        }
    });
}

fn register_runtime(instruments: &Instruments, runtime: &Handle) {
    let metrics = runtime.metrics();
    let workers = metrics.num_workers();
    instruments.observable(&process::RUNTIME_WORKERS, move |_, series| series(exact(workers as u64), &[]));
    let tasks = metrics.clone();
    instruments.observable(&process::RUNTIME_ALIVE_TASKS, move |_, series| {
        series(exact(tasks.num_alive_tasks() as u64), &[]);
    });
    let queue = metrics.clone();
    instruments.observable(&process::RUNTIME_QUEUE_DEPTH, move |_, series| {
        series(exact(queue.global_queue_depth() as u64), &[]);
    });
    instruments.observable(&process::RUNTIME_WORKER_BUSY, move |_, series| {
        for worker in 0..workers {
            let busy = metrics.worker_total_busy_duration(worker).as_secs_f64();
            series(busy, &labels(&process::RUNTIME_WORKER_BUSY, [&worker.to_string()]));
        }
    });
}
