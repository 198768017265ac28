//! How many requests may wait for jobs at the same time, in all and of one subject, so that no client takes the places
//! of all others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::settings::HttpSettings;
use crate::{
    domain::Caller,
    ports::driven::{HttpMetrics, Limit},
};

/// The requests that wait.
pub(super) struct Waits {
    at_most: usize,
    per_subject: usize,
    waiting: Mutex<Waiting>,
    metrics: Option<Arc<dyn HttpMetrics>>,
}

#[derive(Default)]
struct Waiting {
    all: usize,
    by_subject: HashMap<String, usize>,
}

/// How long a request waits, and its place among those that do.
pub(super) struct Wait<'a> {
    /// Nothing when all places are taken: the request is answered as if its time had run out.
    pub(super) time: Duration,
    /// Whether the time is what the request asked for.
    pub(super) granted: bool,
    _place: Option<Place<'a>>,
}

/// A place: free again when it is dropped.
struct Place<'a> {
    waits: &'a Waits,
    subject: String,
}

impl Waits {
    pub(super) fn new(settings: &HttpSettings, metrics: Option<Arc<dyn HttpMetrics>>) -> Arc<Self> {
        let HttpSettings { waits: at_most, waits_per_subject: per_subject, .. } = *settings;
        Arc::new(Self { at_most, per_subject, waiting: Mutex::default(), metrics })
    }

    /// A place for a request of this caller that asks to wait for so long.
    pub(super) fn begin(&self, caller: &Caller, time: Duration) -> Wait<'_> {
        if time.is_zero() {
            return Wait { time, granted: true, _place: None };
        }
        match self.take(&caller.subject) {
            Ok(place) => Wait { time, granted: true, _place: Some(place) },
            Err(limit) => {
                if let Some(metrics) = &self.metrics {
                    metrics.limit_reached(limit);
                }
                Wait { time: Duration::ZERO, granted: false, _place: None }
            }
        }
    }

    fn take(&self, subject: &str) -> Result<Place<'_>, Limit> {
        let mut waiting = self.waiting();
        if waiting.by_subject.get(subject).copied().unwrap_or_default() >= self.per_subject {
            return Err(Limit::WaitsPerSubject);
        }
        if waiting.all >= self.at_most {
            return Err(Limit::Waits);
        }
        waiting.all += 1;
        *waiting.by_subject.entry(subject.to_owned()).or_default() += 1;
        Ok(Place { waits: self, subject: subject.to_owned() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waits.waiting();
        waiting.all -= 1;
        if let Some(own) = waiting.by_subject.get_mut(&self.subject) {
            *own -= 1;
            if *own == 0 {
                waiting.by_subject.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Scope;

    #[test]
    fn places_are_taken_by_those_who_wait_and_are_free_again_afterwards() {
        let settings = HttpSettings { waits: 3, waits_per_subject: 2, ..HttpSettings::default() };
        let waits = Waits::new(&settings, None);
        let begin = |subject: &str, seconds| {
            let caller = Caller { subject: subject.to_owned(), scope: Scope::Read };
            waits.begin(&caller, Duration::from_secs(seconds))
        };
        let told = |wait: &Wait<'_>| (wait.time.as_secs(), wait.granted);
        let (first, second) = (begin("alice", 9), begin("alice", 9));
        assert_eq!([told(&first), told(&second)], [(9, true); 2]);
        assert_eq!(told(&begin("alice", 9)), (0, false), "she has all of hers");
        assert_eq!(told(&begin("alice", 0)), (0, true), "no place is needed for no time");
        let third = begin("bob", 9);
        assert_eq!((told(&third), told(&begin("carol", 9))), ((9, true), (0, false)), "all are taken");
        drop(first);
        assert_eq!(told(&begin("carol", 9)), (9, true));
        drop((second, third));
        assert!(waits.waiting().by_subject.is_empty(), "nobody is remembered who does not wait");
    }
}
