//! The series of jobs and executions that this process reports as things happen.

use std::time::Duration;

use opentelemetry::metrics::{Gauge, Histogram};

use super::{
    instruments::{BoundCount, BoundLevel, BoundTimes, Instruments, exact, labels},
    lazy::Lazy,
};
use crate::{
    adapters::metrics::catalogue::job,
    domain::{ExecutionStatus, JobStatus, OperationKind},
    ports::driven::{QueueOperation, QueueOutcome, RejectionReason},
};

type ByOperation<T> = [T; OperationKind::ALL.len()];

/// Counters and gauges are at 0 from the start; histograms appear at first use.
pub(super) struct JobSeries {
    created: ByOperation<BoundCount>,
    completed: ByOperation<[Option<BoundCount>; JobStatus::ALL.len()]>,
    active: ByOperation<BoundLevel>,
    rejected: [BoundCount; RejectionReason::ALL.len()],
    redelivered: ByOperation<BoundCount>,
    reconnects: BoundCount,
    copy_lag: Gauge<f64>,
    task_panics: BoundCount,
    stale_results: BoundCount,
    durations: Histogram<f64>,
    duration: ByOperation<[Lazy<BoundTimes>; ExecutionStatus::ALL.len()]>,
    queue_durations: Histogram<f64>,
    queue_duration: ByOperation<Lazy<BoundTimes>>,
    end_to_end_durations: Histogram<f64>,
    end_to_end_duration: ByOperation<Lazy<BoundTimes>>,
    queue_calls: Histogram<f64>,
    queue_call: [[Lazy<BoundTimes>; QueueOutcome::ALL.len()]; QueueOperation::ALL.len()],
}

impl JobSeries {
    pub(super) fn new(instruments: &Instruments) -> Self {
        let created = instruments.counter(&job::CREATED);
        let completed = instruments.counter(&job::COMPLETED);
        let active = instruments.up_down_counter(&job::ACTIVE);
        let redelivered = instruments.counter(&job::REDELIVERED);
        let rejected = instruments.counter(&job::REJECTED);
        let unlabelled = |family| {
            let counter = instruments.counter(family).bind(&[]);
            // A series without labels is on the page only after its first use.
            counter.add(0);
            counter
        };
        let copy_lag = instruments.gauge(&job::QUEUE_COPY_LAG);
        copy_lag.record(0.0, &[]);
        Self {
            created: OperationKind::ALL.map(|operation| created.bind(&labels(&job::CREATED, [operation.name()]))),
            completed: OperationKind::ALL.map(|operation| {
                JobStatus::ALL.map(|status| {
                    let series = labels(&job::COMPLETED, [operation.name(), status.as_str()]);
                    status.is_terminal().then(|| completed.bind(&series))
                })
            }),
            active: OperationKind::ALL.map(|operation| active.bind(&labels(&job::ACTIVE, [operation.name()]))),
            rejected: RejectionReason::ALL.map(|reason| rejected.bind(&labels(&job::REJECTED, [reason.as_str()]))),
            redelivered: OperationKind::ALL
                .map(|operation| redelivered.bind(&labels(&job::REDELIVERED, [operation.name()]))),
            reconnects: unlabelled(&job::QUEUE_RECONNECTS),
            copy_lag,
            task_panics: unlabelled(&job::TASK_PANICS),
            stale_results: unlabelled(&job::STALE_RESULTS),
            durations: instruments.histogram(&job::DURATION),
            duration: OperationKind::ALL.map(|_| ExecutionStatus::ALL.map(|_| Lazy::new())),
            queue_durations: instruments.histogram(&job::QUEUE_DURATION),
            queue_duration: OperationKind::ALL.map(|_| Lazy::new()),
            end_to_end_durations: instruments.histogram(&job::END_TO_END_DURATION),
            end_to_end_duration: OperationKind::ALL.map(|_| Lazy::new()),
            queue_calls: instruments.histogram(&job::QUEUE_OPERATION_DURATION),
            queue_call: QueueOperation::ALL.map(|_| QueueOutcome::ALL.map(|_| Lazy::new())),
        }
    }

    pub(super) fn created(&self, operation: OperationKind) {
        self.created[operation.index()].add(1);
    }

    /// A status that is not terminal is no completion, and is not recorded.
    pub(super) fn completed(&self, operation: OperationKind, status: JobStatus, end_to_end: Duration) {
        let Some(count) = &self.completed[operation.index()][status.index()] else { return };
        count.add(1);
        self.end_to_end_duration[operation.index()]
            .get(|| self.end_to_end_durations.bind(&labels(&job::END_TO_END_DURATION, [operation.name()])))
            .record(end_to_end.as_secs_f64());
    }

    pub(super) fn rejected(&self, reason: RejectionReason) {
        self.rejected[reason as usize].add(1);
    }

    pub(super) fn claimed(&self, operation: OperationKind, waited: Duration) {
        self.queue_duration[operation.index()]
            .get(|| self.queue_durations.bind(&labels(&job::QUEUE_DURATION, [operation.name()])))
            .record(waited.as_secs_f64());
    }

    pub(super) fn started(&self, operation: OperationKind) {
        self.active[operation.index()].add(1);
    }

    pub(super) fn stopped(&self, operation: OperationKind) {
        self.active[operation.index()].add(-1);
    }

    pub(super) fn finished(&self, operation: OperationKind, status: ExecutionStatus, ran: Duration) {
        self.duration[operation.index()][status.index()]
            .get(|| self.durations.bind(&labels(&job::DURATION, [operation.name(), status.as_str()])))
            .record(ran.as_secs_f64());
    }

    pub(super) fn redelivered(&self, operation: OperationKind) {
        self.redelivered[operation.index()].add(1);
    }

    pub(super) fn reconnected(&self) {
        self.reconnects.add(1);
    }

    pub(super) fn copy_lag(&self, records: u64) {
        self.copy_lag.record(exact(records), &[]);
    }

    pub(super) fn task_panicked(&self) {
        self.task_panics.add(1);
    }

    pub(super) fn stale_result(&self) {
        self.stale_results.add(1);
    }

    pub(super) fn queue_called(&self, operation: QueueOperation, outcome: QueueOutcome, took: Duration) {
        let series = [outcome.as_str(), operation.as_str()];
        self.queue_call[operation as usize][outcome as usize]
            .get(|| self.queue_calls.bind(&labels(&job::QUEUE_OPERATION_DURATION, series)))
            .record(took.as_secs_f64());
    }
}
