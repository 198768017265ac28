//! A queue whose calls are timed. It changes nothing about them, and is not there when metrics are off.
//!
//! What happens to jobs is not counted here: the queue reports that itself, after it is durable.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use crate::{
    domain::{Idempotency, Job, JobId, QueueStats},
    ports::driven::{
        Cancelled, Claim, ClaimRequest, ClaimToken, Deleted, JobPage, JobQueue, MetricsPort, Outcome, PageRequest,
        QueueError, QueueErrorKind, QueueInfo, QueueOperation, QueueOutcome, Revocation, Submission, Submitted,
    },
};

/// Times the calls to a queue.
pub struct MeteredQueue {
    queue: Arc<dyn JobQueue>,
    metrics: Arc<dyn MetricsPort>,
}

impl MeteredQueue {
    /// `queue`, timed into `metrics`.
    #[must_use]
    pub fn new(queue: Arc<dyn JobQueue>, metrics: Arc<dyn MetricsPort>) -> Self {
        Self { queue, metrics }
    }

    async fn timed<T>(
        &self,
        operation: QueueOperation,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<T, QueueError> {
        let started = Instant::now();
        let mut timing = Timing { metrics: &*self.metrics, operation, outcome: QueueOutcome::Abandoned, started };
        let answer = call.await;
        timing.outcome = answer.as_ref().map_or_else(outcome, |_| QueueOutcome::Answered);
        answer
    }
}

fn outcome(error: &QueueError) -> QueueOutcome {
    match error.kind() {
        QueueErrorKind::Full | QueueErrorKind::Busy | QueueErrorKind::TooLarge | QueueErrorKind::HostnameTaken => {
            QueueOutcome::Refused
        }
        QueueErrorKind::Unavailable | QueueErrorKind::StorageFull | QueueErrorKind::Corrupt => QueueOutcome::Failed,
    }
}

/// Reports a call when it is dropped, so that one whose caller gave up is seen too.
struct Timing<'a> {
    metrics: &'a dyn MetricsPort,
    operation: QueueOperation,
    outcome: QueueOutcome,
    started: Instant,
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        let took: Duration = self.started.elapsed();
        self.metrics.queue_called(self.operation, self.outcome, took);
    }
}

#[async_trait]
impl JobQueue for MeteredQueue {
    fn info(&self) -> QueueInfo {
        self.queue.info()
    }

    async fn check(&self) -> Result<(), QueueError> {
        self.timed(QueueOperation::Check, self.queue.check()).await
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, QueueError> {
        self.timed(QueueOperation::Submit, self.queue.submit(submission)).await
    }

    async fn replay(&self, idempotency: &Idempotency) -> Result<Option<Submitted>, QueueError> {
        self.timed(QueueOperation::Replay, self.queue.replay(idempotency)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        self.timed(QueueOperation::Job, self.queue.job(id)).await
    }

    async fn jobs(&self, request: PageRequest) -> Result<JobPage, QueueError> {
        self.timed(QueueOperation::Jobs, self.queue.jobs(request)).await
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        self.timed(QueueOperation::Stats, self.queue.stats()).await
    }

    async fn ended(&self, id: JobId) -> Result<Option<Job>, QueueError> {
        self.queue.ended(id).await
    }

    async fn cancel(&self, id: JobId) -> Result<Cancelled, QueueError> {
        self.timed(QueueOperation::Cancel, self.queue.cancel(id)).await
    }

    async fn delete(&self, id: JobId) -> Result<Deleted, QueueError> {
        self.timed(QueueOperation::Delete, self.queue.delete(id)).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, QueueError> {
        self.queue.claim(request).await
    }

    async fn renew(&self, token: ClaimToken) -> Result<bool, QueueError> {
        self.timed(QueueOperation::Renew, self.queue.renew(token)).await
    }

    async fn revoked(&self, token: ClaimToken) -> Result<Revocation, QueueError> {
        self.queue.revoked(token).await
    }

    async fn finish(&self, token: ClaimToken, outcome: Outcome) -> Result<bool, QueueError> {
        self.timed(QueueOperation::Finish, self.queue.finish(token, outcome)).await
    }
}

#[cfg(test)]
mod tests {
    use mockall::predicate::{always, eq};

    use super::*;
    use crate::ports::driven::{MockJobQueue, MockMetricsPort};

    fn metered(queue: MockJobQueue, calls: &[(QueueOperation, QueueOutcome)]) -> MeteredQueue {
        let mut metrics = MockMetricsPort::new();
        for (operation, outcome) in calls {
            metrics.expect_queue_called().with(eq(*operation), eq(*outcome), always()).once().return_const(());
        }
        MeteredQueue::new(Arc::new(queue), Arc::new(metrics))
    }

    #[tokio::test]
    async fn a_call_keeps_its_answer_and_is_timed_once() {
        let mut queue = MockJobQueue::new();
        queue.expect_renew().with(eq(ClaimToken(7))).returning(|_| Ok(false));
        let queue = metered(queue, &[(QueueOperation::Renew, QueueOutcome::Answered)]);
        assert!(!queue.renew(ClaimToken(7)).await.expect("answered"));
    }

    #[tokio::test]
    async fn a_refusal_is_not_a_failure() {
        for (kind, outcome) in [
            (QueueErrorKind::Full, QueueOutcome::Refused),
            (QueueErrorKind::Busy, QueueOutcome::Refused),
            (QueueErrorKind::TooLarge, QueueOutcome::Refused),
            (QueueErrorKind::Unavailable, QueueOutcome::Failed),
            (QueueErrorKind::StorageFull, QueueOutcome::Failed),
            (QueueErrorKind::Corrupt, QueueOutcome::Failed),
        ] {
            let mut queue = MockJobQueue::new();
            queue.expect_check().returning(move || Err(QueueError::new(kind, "no")));
            let error = metered(queue, &[(QueueOperation::Check, outcome)]).check().await.expect_err("an error");
            assert_eq!(error.kind(), kind);
        }
    }

    #[tokio::test]
    async fn a_call_whose_caller_gave_up_is_seen() {
        let queue = metered(MockJobQueue::new(), &[(QueueOperation::Stats, QueueOutcome::Abandoned)]);
        let call = queue.timed::<()>(QueueOperation::Stats, std::future::pending());
        let gave_up = tokio::select! {
            biased;
            _ = call => false,
            () = std::future::ready(()) => true,
        };
        assert!(gave_up);
    }

    #[tokio::test]
    async fn waiting_is_not_timed() {
        let mut queue = MockJobQueue::new();
        queue.expect_revoked().returning(|_| Ok(Revocation::Fenced));
        assert_eq!(metered(queue, &[]).revoked(ClaimToken(1)).await.expect("answered"), Revocation::Fenced);
    }
}
