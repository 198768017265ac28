//! One run: from a claim to its recorded end. Which status the end makes is decided in the domain.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::JoinError,
    time::{Instant, sleep, timeout},
};

use super::{active::Active, seldom::Seldom};
use crate::{
    domain::{ExecutionEvent, Failure, FailureKind, Output, ResultDocument},
    ports::driven::{Claim, JobQueue, MetricsPort, OperationExecutor, Outcome, Revocation},
};

/// Renewals per lease: two may be lost before the lease ends.
const RENEWALS_PER_LEASE: u32 = 3;
/// Waits between attempts to record an end, growing from the first to the second.
const RECORD_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What every run of a worker shares.
pub(super) struct Runner {
    pub(super) queue: Arc<dyn JobQueue>,
    pub(super) executor: Arc<dyn OperationExecutor>,
    pub(super) metrics: Arc<dyn MetricsPort>,
    /// Length of a lease.
    pub(super) lease: Duration,
    /// How long an operation that was told to stop may take for it.
    pub(super) wind_down: Duration,
    /// Turns `true` when the worker's grace time is nearly over.
    pub(super) interrupted: watch::Receiver<bool>,
    /// What was said about runs that a failing queue concerns.
    pub(super) said: Said,
}

/// What was said about runs: when the queue fails, it fails for all of them.
#[derive(Debug, Default)]
pub(super) struct Said {
    dropped: Seldom,
    late: Seldom,
    unrecorded: Seldom,
}

/// A warning about a run, unless one of its kind was given just now.
macro_rules! warn_seldom {
    ($seldom:expr, $($line:tt)+) => {
        if $seldom.is_time() { tracing::warn!($($line)+) } else { tracing::debug!($($line)+) }
    };
}

/// Why a run is stopped before its operation ended.
#[derive(Clone, Copy)]
enum StopReason {
    Timeout,
    Cancelled,
    WorkerStops,
}

impl StopReason {
    const fn event(self) -> ExecutionEvent {
        match self {
            Self::Timeout => ExecutionEvent::Failed(FailureKind::Timeout),
            Self::Cancelled => ExecutionEvent::CancelConfirmed,
            Self::WorkerStops => ExecutionEvent::WorkerStopped,
        }
    }
}

/// The operation in a task of its own, so that its panic ends nothing else. Aborted when dropped.
struct OperationTask(tokio::task::JoinHandle<Result<Output, Failure>>);

impl Drop for OperationTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Runner {
    /// Runs a claim to its recorded end, or until the claim is void.
    ///
    /// The slot is free as soon as nothing runs in it: the end is recorded and the next work claimed at the same time.
    pub(super) async fn run(&self, claim: Claim, slot: OwnedSemaphorePermit) {
        let active = Active::start(Arc::clone(&self.metrics), claim.operation.kind());
        let outcome = tokio::select! {
            biased;
            outcome = self.execute(&claim) => outcome,
            () = self.keep_lease(&claim) => None,
        };
        drop(active);
        let Some(outcome) = outcome else {
            warn_seldom!(self.said.dropped, job_id = %claim.job_id, "the lease of a run ended; its result is dropped");
            return self.metrics.stale_result();
        };
        tokio::select! {
            biased;
            () = self.record(&claim, outcome) => {}
            () = async {
                // Not before the queue was told of the end, so that it counts no more claims than there are slots.
                drop(slot);
                // What a void claim means for the result is the queue's answer to `finish`.
                self.keep_lease(&claim).await;
                pending::<()>().await;
            } => {}
        }
    }

    /// Runs the operation until it ends or must stop; none when the claim is void.
    async fn execute(&self, claim: &Claim) -> Option<Outcome> {
        let (stop, stopped) = watch::channel(false);
        let (executor, operation) = (Arc::clone(&self.executor), claim.operation.clone());
        let mut task = OperationTask(tokio::spawn(async move { executor.execute(operation, stopped).await }));

        let mut interrupted = self.interrupted.clone();
        let reason = tokio::select! {
            biased;
            ended = &mut task.0 => return Some(ended_by_itself(ended)),
            revocation = self.revocation(claim) => match revocation {
                Revocation::CancelRequested => StopReason::Cancelled,
                Revocation::Fenced => return None,
            },
            () = sleep(time_left(claim)) => StopReason::Timeout,
            Ok(_) = interrupted.wait_for(|interrupted| *interrupted) => StopReason::WorkerStops,
        };
        stop.send_replace(true);
        Some(match timeout(self.wind_down, &mut task.0).await {
            Ok(Ok(Err(failure))) => Outcome { event: reason.event(), ..failed(failure) },
            // It came to an end after all, or panicked on the way.
            Ok(ended) => ended_by_itself(ended),
            Err(_) => Outcome { event: reason.event(), result: None, message: None },
        })
    }

    /// Waits for a reason to stop that comes from the queue. A queue that fails gives none: then the lease decides.
    async fn revocation(&self, claim: &Claim) -> Revocation {
        loop {
            match self.queue.revoked(claim.token).await {
                Ok(revocation) => return revocation,
                Err(error) => tracing::debug!(%error, "cannot hear of cancellations"),
            }
            sleep(self.lease / RENEWALS_PER_LEASE).await;
        }
    }

    /// Renews the lease until it is lost.
    async fn keep_lease(&self, claim: &Claim) {
        let mut renewed = Instant::now();
        loop {
            sleep(self.lease / RENEWALS_PER_LEASE).await;
            let asked = Instant::now();
            match self.queue.renew(claim.token).await {
                Ok(true) => renewed = asked,
                Ok(false) => return,
                Err(error) => tracing::debug!(job_id = %claim.job_id, %error, "cannot renew a lease"),
            }
            if renewed.elapsed() >= self.lease {
                return;
            }
        }
    }

    /// Records the end, however long the queue cannot be reached.
    async fn record(&self, claim: &Claim, outcome: Outcome) {
        let mut again = RECORD_AGAIN.0;
        loop {
            match self.queue.finish(claim.token, outcome.clone()).await {
                Ok(true) => return,
                Ok(false) => {
                    warn_seldom!(self.said.late, job_id = %claim.job_id, "a result came after its claim had become void");
                    return self.metrics.stale_result();
                }
                Err(error) => {
                    let job_id = claim.job_id;
                    warn_seldom!(self.said.unrecorded, %job_id, %error, "cannot record the end of a run, trying again");
                }
            }
            sleep(again).await;
            again = (again * 2).min(RECORD_AGAIN.1);
        }
    }
}

/// The timeout, capped by the job's deadline.
fn time_left(claim: &Claim) -> Duration {
    claim.timeout.min(claim.time_left)
}

fn failed(failure: Failure) -> Outcome {
    let result = failure.partial.as_deref().and_then(|output| ResultDocument::try_from(output).ok());
    Outcome { event: ExecutionEvent::Failed(failure.kind), result, message: Some(failure.message) }
}

fn ended_by_itself(ended: Result<Result<Output, Failure>, JoinError>) -> Outcome {
    let panicked = Outcome { event: ExecutionEvent::Failed(FailureKind::Panic), result: None, message: None };
    match ended {
        Ok(Ok(output)) => match ResultDocument::try_from(&output) {
            Ok(result) => Outcome { event: ExecutionEvent::Returned, result: Some(result), message: None },
            Err(error) => failed(Failure::operation(format!("the result cannot be written as JSON: {error}"))),
        },
        Ok(Err(failure)) => failed(failure),
        // The task is aborted only by dropping it, so it panicked.
        Err(_) => panicked,
    }
}
