//! Counts what a queue has committed: the one place where a durable change becomes a metric.

use std::sync::Arc;

use crate::ports::{
    driven::MetricsPort,
    driving::{JobEvent, JobEvents},
};

/// Records every committed change in the metrics, before anybody hears of it.
pub struct JobEventRecorder {
    metrics: Arc<dyn MetricsPort>,
}

impl JobEventRecorder {
    /// Records into `metrics`.
    #[must_use]
    pub fn new(metrics: Arc<dyn MetricsPort>) -> Self {
        Self { metrics }
    }
}

impl JobEvents for JobEventRecorder {
    fn committed(&self, events: &[JobEvent]) {
        for event in events {
            match *event {
                JobEvent::Created { operation } => self.metrics.job_created(operation),
                JobEvent::Claimed { operation, waited } => self.metrics.execution_claimed(operation, waited),
                JobEvent::Finished { operation, status, ran } => {
                    self.metrics.execution_finished(operation, status, ran);
                }
                JobEvent::Redelivered { operation } => self.metrics.execution_redelivered(operation),
                JobEvent::Completed { operation, status, end_to_end } => {
                    self.metrics.job_completed(operation, status, end_to_end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mockall::predicate::eq;

    use super::*;
    use crate::domain::{ExecutionStatus, JobStatus, OperationKind};
    use crate::ports::driven::MockMetricsPort;

    #[test]
    fn every_committed_change_is_counted_once() {
        let operation = OperationKind::NodeLoadGet;
        let second = Duration::from_secs(1);
        let mut metrics = MockMetricsPort::new();
        metrics.expect_job_created().with(eq(operation)).once().return_const(());
        metrics.expect_execution_claimed().with(eq(operation), eq(second)).once().return_const(());
        metrics.expect_execution_redelivered().with(eq(operation)).once().return_const(());
        metrics
            .expect_execution_finished()
            .with(eq(operation), eq(ExecutionStatus::Failed), eq(second))
            .once()
            .return_const(());
        metrics
            .expect_job_completed()
            .with(eq(operation), eq(JobStatus::Failed), eq(second * 2))
            .once()
            .return_const(());

        JobEventRecorder::new(Arc::new(metrics)).committed(&[
            JobEvent::Created { operation },
            JobEvent::Claimed { operation, waited: second },
            JobEvent::Redelivered { operation },
            JobEvent::Finished { operation, status: ExecutionStatus::Failed, ran: second },
            JobEvent::Completed { operation, status: JobStatus::Failed, end_to_end: second * 2 },
        ]);
    }
}
