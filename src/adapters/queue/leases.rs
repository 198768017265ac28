//! Who runs what until when, as far as this process granted it. In memory, on monotonic time.
//!
//! `R` is what a queue needs to find the run again: the row of an execution, or its record.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    domain::{Hostname, JobId},
    ports::driven::{ClaimToken, Revocation},
};

/// A worker's right to one execution.
#[derive(Debug)]
pub(super) struct Lease<R> {
    /// What runs.
    pub(super) run: R,
    pub(super) job_id: JobId,
    pub(super) worker: Hostname,
    pub(super) granted: Instant,
    until: Instant,
    /// No renewal goes beyond this: one lease after the deadline.
    limit: Instant,
    revocation: watch::Sender<Option<Revocation>>,
}

/// All leases.
#[derive(Debug)]
pub(super) struct Leases<R> {
    length: Duration,
    live: Mutex<HashMap<ClaimToken, Lease<R>>>,
}

impl<R: Clone> Leases<R> {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, live: Mutex::default() }
    }

    /// How long a lease is.
    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    fn live(&self) -> MutexGuard<'_, HashMap<ClaimToken, Lease<R>>> {
        // Every change below is complete in itself.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease from now on, at most until one lease after the deadline.
    pub(super) fn grant(&self, run: R, job_id: JobId, worker: Hostname, until_deadline: Duration) -> Lease<R> {
        let granted = Instant::now();
        let limit = granted + until_deadline + self.length;
        let until = limit.min(granted + self.length);
        Lease { run, job_id, worker, granted, until, limit, revocation: watch::Sender::new(None) }
    }

    pub(super) fn insert(&self, token: ClaimToken, lease: Lease<R>) {
        self.live().insert(token, lease);
    }

    /// Ends a lease; its holder hears nothing more.
    pub(super) fn remove(&self, token: ClaimToken) {
        self.live().remove(&token);
    }

    /// Ends a lease and tells its holder why.
    pub(super) fn fence(&self, token: ClaimToken) {
        if let Some(lease) = self.live().remove(&token) {
            lease.revocation.send_replace(Some(Revocation::Fenced));
        }
    }

    /// Asks the holder to stop.
    pub(super) fn ask_to_cancel(&self, token: ClaimToken) {
        if let Some(lease) = self.live().get(&token) {
            lease.revocation.send_replace(Some(Revocation::CancelRequested));
        }
    }

    /// Extends a lease; `false` when it has ended.
    pub(super) fn renew(&self, token: ClaimToken) -> bool {
        let now = Instant::now();
        match self.live().get_mut(&token) {
            Some(lease) if lease.until > now => {
                lease.until = lease.limit.min(now + self.length);
                true
            }
            _ => false,
        }
    }

    /// What runs, its job, and how long it has been running.
    pub(super) fn held(&self, token: ClaimToken) -> Option<(R, JobId, Duration)> {
        self.live().get(&token).map(|lease| (lease.run.clone(), lease.job_id, lease.granted.elapsed()))
    }

    /// What the holder hears; none when the lease has ended.
    pub(super) fn revocation(&self, token: ClaimToken) -> Option<watch::Receiver<Option<Revocation>>> {
        self.live().get(&token).map(|lease| lease.revocation.subscribe())
    }

    /// Leases that have run out, with their executions.
    pub(super) fn overdue(&self) -> Vec<(ClaimToken, JobId, R)> {
        let now = Instant::now();
        let live = self.live();
        let overdue = live.iter().filter(|(_, lease)| lease.until <= now);
        overdue.map(|(token, lease)| (*token, lease.job_id, lease.run.clone())).collect()
    }

    /// When the next lease runs out, unless it is renewed.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.live().values().map(|lease| lease.until).min()
    }

    /// Executions that this worker runs.
    pub(super) fn used_by(&self, worker: &Hostname) -> usize {
        self.live().values().filter(|lease| lease.worker == *worker).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: ClaimToken = ClaimToken(1);

    fn leases(length: Duration, until_deadline: Duration) -> Leases<i64> {
        let leases = Leases::new(length);
        let id = JobId::try_from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000)).expect("version 7");
        let lease = leases.grant(7, id, "web-1".parse().expect("a hostname"), until_deadline);
        leases.insert(TOKEN, lease);
        leases
    }

    #[test]
    fn a_lease_that_has_run_out_cannot_be_renewed() {
        let leases = leases(Duration::ZERO, Duration::ZERO);
        assert!(!leases.renew(TOKEN));
        assert_eq!(leases.overdue().len(), 1);
    }

    #[test]
    fn no_renewal_goes_beyond_one_lease_after_the_deadline() {
        let length = Duration::from_secs(10);
        let leases = leases(length, Duration::from_secs(1));
        let begun = Instant::now();
        assert!(leases.renew(TOKEN));
        let end = leases.next_end().expect("a lease");
        assert!(end <= begun + length + Duration::from_secs(1));
    }

    #[test]
    fn a_fenced_holder_hears_it_and_holds_nothing() {
        let leases = leases(Duration::from_secs(10), Duration::from_secs(10));
        let heard = leases.revocation(TOKEN).expect("a lease");
        leases.ask_to_cancel(TOKEN);
        assert_eq!(*heard.borrow(), Some(Revocation::CancelRequested));
        leases.fence(TOKEN);
        assert_eq!(*heard.borrow(), Some(Revocation::Fenced));
        assert!(leases.held(TOKEN).is_none() && !leases.renew(TOKEN));
    }
}
