//! Who runs what until when, as far as this process granted it. In memory, on monotonic time.
//!
//! `R` is what a queue needs to find the run again: the row of an execution, or its record.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    domain::{Hostname, JobId},
    ports::driven::{ClaimToken, Clock, Revocation},
};

/// A lease whose end this process sees later than this part of its length has ended while the process did not run.
const LATE: u32 = 8;
/// What such a lease gets instead, as a part of its length: a worker that goes on renews it at once.
const GRACE: u32 = 3;

/// A worker's right to one execution.
#[derive(Debug)]
pub(super) struct Lease<R> {
    /// What runs.
    pub(super) run: R,
    pub(super) job_id: JobId,
    pub(super) worker: Hostname,
    /// When it began: the uptime of the host.
    granted: Duration,
    until: Instant,
    /// It got more time because this process had not run.
    spared: bool,
    /// No renewal goes beyond this: one lease after the deadline.
    limit: Instant,
    revocation: watch::Sender<Option<Revocation>>,
}

/// All leases.
pub(super) struct Leases<R> {
    length: Duration,
    clock: Arc<dyn Clock>,
    live: Mutex<HashMap<ClaimToken, Lease<R>>>,
}

impl<R: Clone> Leases<R> {
    pub(super) fn new(length: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { length, clock, live: Mutex::default() }
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
        let (now, granted) = (Instant::now(), self.clock.uptime().elapsed);
        let limit = now + until_deadline + self.length;
        let until = limit.min(now + self.length);
        Lease { run, job_id, worker, granted, until, spared: false, limit, revocation: watch::Sender::new(None) }
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

    /// Extends a lease; `false` when it has ended. One that has run out has not ended before this process decided so: as
    /// long as its worker goes on, nothing has happened.
    pub(super) fn renew(&self, token: ClaimToken) -> bool {
        let now = Instant::now();
        match self.live().get_mut(&token) {
            Some(lease) if lease.limit > now => {
                (lease.until, lease.spared) = (lease.limit.min(now + self.length), false);
                true
            }
            _ => false,
        }
    }

    /// What runs, its job, and how long it has been running.
    pub(super) fn held(&self, token: ClaimToken) -> Option<(R, JobId, Duration)> {
        self.live()
            .get(&token)
            .map(|lease| (lease.run.clone(), lease.job_id, self.clock.uptime().elapsed.saturating_sub(lease.granted)))
    }

    /// What the holder hears; none when the lease has ended.
    pub(super) fn revocation(&self, token: ClaimToken) -> Option<watch::Receiver<Option<Revocation>>> {
        self.live().get(&token).map(|lease| lease.revocation.subscribe())
    }

    /// Leases that have run out, with their executions.
    ///
    /// This process may not have run for a while: then its workers could not renew anything either, and get the time.
    pub(super) fn overdue(&self) -> Vec<(ClaimToken, JobId, R)> {
        let now = Instant::now();
        let mut overdue = Vec::new();
        for (token, lease) in self.live().iter_mut().filter(|(_, lease)| lease.until <= now) {
            if !lease.spared && now - lease.until > self.length / LATE {
                (lease.until, lease.spared) = (now + self.length / GRACE, true);
            } else {
                overdue.push((*token, lease.job_id, lease.run.clone()));
            }
        }
        overdue
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
    use crate::ports::driven::{MockClock, Uptime};

    const TOKEN: ClaimToken = ClaimToken(1);

    fn leases(length: Duration, until_deadline: Duration) -> Leases<i64> {
        let mut clock = MockClock::new();
        clock.expect_uptime().returning(|| Uptime { boot: uuid::Uuid::nil(), elapsed: Duration::ZERO });
        let leases = Leases::new(length, Arc::new(clock));
        let id = JobId::try_from(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000)).expect("version 7");
        let lease = leases.grant(7, id, "web-1".parse().expect("a hostname"), until_deadline);
        leases.insert(TOKEN, lease);
        leases
    }

    /// Lets a lease have run out so long ago.
    fn run_out(leases: &Leases<i64>, ago: Duration) {
        leases.live().get_mut(&TOKEN).expect("a lease").until = Instant::now().checked_sub(ago).expect("it is long up");
    }

    #[test]
    fn a_lease_that_has_run_out_is_over() {
        let leases = leases(Duration::from_secs(10), Duration::from_secs(10));
        assert!(leases.overdue().is_empty());
        run_out(&leases, Duration::ZERO);
        assert_eq!(leases.overdue().len(), 1);
    }

    #[test]
    fn a_lease_that_ran_out_while_the_process_did_not_run_gets_time_to_be_renewed_once() {
        let leases = leases(Duration::from_secs(10), Duration::from_secs(10));
        let long = Duration::from_millis(3);
        run_out(&leases, Duration::from_secs(10) / LATE + long);
        assert!(leases.overdue().is_empty());
        let end = leases.next_end().expect("a lease") - Instant::now();
        assert!(end > Duration::from_secs(2) && end < Duration::from_secs(4), "{end:?}");
        run_out(&leases, Duration::from_secs(10));
        assert_eq!(leases.overdue().len(), 1, "its worker does not renew it");
        assert!(leases.renew(TOKEN), "nobody has decided");
        run_out(&leases, Duration::from_secs(10));
        assert!(leases.overdue().is_empty(), "it is renewed, and the process stood still again");
    }

    #[test]
    fn no_renewal_goes_beyond_one_lease_after_the_deadline() {
        let length = Duration::from_secs(10);
        let leases = leases(length, Duration::from_secs(1));
        let begun = Instant::now();
        assert!(leases.renew(TOKEN));
        let end = leases.next_end().expect("a lease");
        assert!(end <= begun + length + Duration::from_secs(1));
        leases.live().get_mut(&TOKEN).expect("a lease").limit = begun;
        assert!(!leases.renew(TOKEN));
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
