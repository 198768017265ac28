//! What one page is made from: read before the instruments are collected, and the same for all of them.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::process_figures::ProcessFigures;
use crate::ports::driven::FleetSnapshot;

/// The figures that are read for a page.
#[derive(Debug)]
pub(super) struct Observation {
    pub(super) fleet: FleetSnapshot,
    pub(super) process: Option<ProcessFigures>,
}

/// The observation of the page that is being made, and what went wrong while it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    current: Arc<RwLock<Option<Arc<Observation>>>>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Observed {
    /// Collects with this observation in place; fails when a callback, or the collection itself, panicked.
    ///
    /// Callers take turns: one observation is in place at a time.
    pub(super) fn during<T>(&self, observation: Observation, collect: impl FnOnce() -> T) -> Result<T, String> {
        self.put(Some(Arc::new(observation)));
        let collected = catch_unwind(AssertUnwindSafe(collect));
        self.put(None);
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (collected, failure) {
            (Ok(collected), None) => Ok(collected),
            (Ok(_), Some(failure)) => Err(failure),
            (Err(panic), _) => Err(format!("the collection panicked: {}", words(&*panic))),
        }
    }

    /// Runs a callback of the instrument `name`. A panic must not leave it: the pipeline would be poisoned for ever.
    pub(super) fn guarded(&self, name: &str, read: impl FnOnce(&Observation)) {
        let Some(observation) = self.current.read().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| read(&observation))) {
            let failure = format!("the callback of {name} panicked: {}", words(&*panic));
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
    }

    fn put(&self, observation: Option<Arc<Observation>>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = observation;
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use opentelemetry::KeyValue;

    use super::*;
    use crate::{
        adapters::metrics::{
            catalogue::fleet,
            otel::{OtelConfig, OtelMetrics},
        },
        ports::driven::{Durability, MetricsExposition, QueueInfo},
    };

    fn config() -> OtelConfig {
        OtelConfig {
            routes: Vec::new(),
            queue: QueueInfo { backend: "embedded", durability: Durability::PowerLoss },
            version: "1".to_owned(),
            revision: "a".to_owned(),
            service_name: None,
            resource_attributes: None,
            log_records_dropped: Arc::default(),
            runtime: None,
        }
    }

    /// An adapter with a callback that panics while the switch is on.
    fn explosive() -> (Arc<OtelMetrics>, Arc<AtomicBool>) {
        let metrics = OtelMetrics::new(&config()).expect("valid");
        let explodes = Arc::new(AtomicBool::new(false));
        let switch = Arc::clone(&explodes);
        metrics.instruments.observable(&fleet::WORKER_SLOTS, move |_, series| {
            assert!(!switch.load(Ordering::Relaxed), "boom");
            series(1.0, &[KeyValue::new("worker", "w")]);
        });
        (metrics, explodes)
    }

    #[test]
    fn a_callback_that_panics_fails_its_page_and_no_other() {
        let (metrics, explodes) = explosive();
        let render = || metrics.render(FleetSnapshot::default());
        let first = render().expect("a page");
        explodes.store(true, Ordering::Relaxed);
        let error = render().expect_err("it must not hide what is missing");
        assert!(error.to_string().contains("the callback of osapi_worker_slots panicked: boom"), "{error}");
        explodes.store(false, Ordering::Relaxed);
        let names = |page: &str| page.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(names(&render().expect("a page")), names(&first) + 1, "the duration of a page is new");
    }

    #[test]
    fn a_pipeline_that_is_poisoned_or_shut_down_fails_every_page_and_never_serves_an_empty_one() {
        let (poisoned, _) = explosive();
        let meter = &poisoned.instruments.meter;
        // Not through the instruments, which would guard it.
        let _unguarded = meter.u64_observable_gauge("unguarded").with_callback(|_| panic!("boom")).build();
        let shut_down = OtelMetrics::new(&config()).expect("valid");
        shut_down.provider.shutdown().expect("it shuts down");
        for metrics in [poisoned, shut_down] {
            for _ in 0..3 {
                metrics.render(FleetSnapshot::default()).expect_err("there is nothing to serve");
            }
        }
    }

    #[test]
    fn a_collection_that_panics_is_an_error_with_its_words() {
        let observed = Observed::default();
        let observation = || Observation { fleet: FleetSnapshot::default(), process: None };
        let failed = observed.during(observation(), || panic!("number {}", 7));
        assert_eq!(failed, Err("the collection panicked: number 7".to_owned()));
        assert_eq!(observed.during(observation(), || 1), Ok(1));
    }

    #[test]
    fn an_observation_is_there_during_its_page_only() {
        let observed = Observed::default();
        let seen = || {
            let mut seen = false;
            observed.guarded("x", |_| seen = true);
            seen
        };
        assert!(!seen());
        let during = observed.during(Observation { fleet: FleetSnapshot::default(), process: None }, seen);
        assert_eq!(during, Ok(true));
        assert!(!seen());
    }
}
