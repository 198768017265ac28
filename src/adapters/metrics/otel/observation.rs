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
