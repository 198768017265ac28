//! Who waits for the end of which job.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::{
    domain::{Job, JobId},
    ports::driven::QueueError,
};

/// Jobs that are remembered as just accepted: more than are submitted between an answer and what its caller does next.
const JUST_ACCEPTED: usize = 1_024;

/// Somebody who waits, and hears of the job as it is after its end.
pub(super) type Waiter = oneshot::Sender<Result<Option<Job>, QueueError>>;

/// Everybody who waits, and the jobs that need no look at the store before somebody waits for them.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    waiters: HashMap<JobId, Vec<Waiter>>,
    just_accepted: JustAccepted,
}

/// The last jobs that were accepted and have not ended.
#[derive(Debug, Default)]
struct JustAccepted {
    open: HashSet<JobId>,
    /// In the order of acceptance, with those that have ended since.
    order: VecDeque<JobId>,
}

impl JustAccepted {
    fn add(&mut self, id: JobId) {
        if self.order.len() == JUST_ACCEPTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        self.order.push_back(id);
        self.open.insert(id);
    }
}

impl Waiters {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete in itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a job that is about to be stored. Its end cannot come earlier.
    pub(super) fn expect(&self, id: JobId) {
        self.known().just_accepted.add(id);
    }

    /// Forgets a job that was not stored after all.
    pub(super) fn forget(&self, id: JobId) {
        self.known().just_accepted.open.remove(&id);
    }

    /// Forgets which jobs were just accepted: they may be gone.
    pub(super) fn forget_accepted(&self) {
        self.known().just_accepted.open.clear();
    }

    /// Waits for the end of a job. When it is not known to be open, it may have ended: register first, look second,
    /// then no end is missed.
    pub(super) fn register(&self, id: JobId) -> Waiting<'_> {
        let (ended, end) = oneshot::channel();
        let mut known = self.known();
        let waiters = known.waiters.entry(id).or_default();
        waiters.retain(|waiter| !waiter.is_closed());
        waiters.push(ended);
        let known_to_be_open = known.just_accepted.open.contains(&id);
        Waiting { id, waiters: self, end: Some(end), known_to_be_open }
    }

    /// Those who waited for the end of this job, which has come.
    pub(super) fn take(&self, id: JobId) -> Vec<Waiter> {
        let mut known = self.known();
        known.just_accepted.open.remove(&id);
        known.waiters.remove(&id).unwrap_or_default()
    }

    /// Forgets those of this job who have stopped waiting.
    fn forget_gone(&self, id: JobId) {
        let mut known = self.known();
        if let Some(waiters) = known.waiters.get_mut(&id) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                known.waiters.remove(&id);
            }
        }
    }
}

/// The wait for the end of a job. Forgotten when it is dropped.
pub(super) struct Waiting<'a> {
    id: JobId,
    waiters: &'a Waiters,
    end: Option<oneshot::Receiver<Result<Option<Job>, QueueError>>>,
    known_to_be_open: bool,
}

impl Waiting<'_> {
    /// Whether the job had not ended when the wait began. Otherwise nobody knows.
    pub(super) const fn known_to_be_open(&self) -> bool {
        self.known_to_be_open
    }

    /// The job after its end; none when nobody is left who could say it.
    pub(super) async fn end(mut self) -> Option<Result<Option<Job>, QueueError>> {
        match &mut self.end {
            Some(end) => end.await.ok(),
            None => None,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.end = None;
        self.waiters.forget_gone(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> JobId {
        JobId::try_from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)).expect("version 7")
    }

    #[test]
    fn a_job_that_was_just_accepted_is_known_to_be_open_until_its_end() {
        let waiters = Waiters::default();
        assert!(!waiters.register(id(1)).known_to_be_open());
        waiters.expect(id(1));
        let waiting = waiters.register(id(1));
        assert!(waiting.known_to_be_open());
        assert_eq!(waiters.take(id(1)).len(), 1);
        assert!(!waiters.register(id(1)).known_to_be_open());
    }

    #[test]
    fn a_job_that_was_not_stored_is_not_known_to_be_open() {
        let waiters = Waiters::default();
        waiters.expect(id(1));
        waiters.forget(id(1));
        assert!(!waiters.register(id(1)).known_to_be_open());
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let waiters = Waiters::default();
        for number in 0..=JUST_ACCEPTED as u128 {
            waiters.expect(id(number));
        }
        assert!(!waiters.register(id(0)).known_to_be_open());
        assert!(waiters.register(id(1)).known_to_be_open());
        let known = waiters.known();
        assert_eq!((known.just_accepted.open.len(), known.just_accepted.order.len()), (JUST_ACCEPTED, JUST_ACCEPTED));
    }

    #[test]
    fn who_stops_waiting_is_forgotten() {
        let waiters = Waiters::default();
        let (stays, leaves) = (waiters.register(id(1)), waiters.register(id(1)));
        drop(leaves);
        assert_eq!(waiters.known().waiters[&id(1)].len(), 1);
        drop(stays);
        assert!(waiters.known().waiters.is_empty());
    }
}
