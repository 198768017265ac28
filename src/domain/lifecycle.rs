//! What may happen to an execution, and what it becomes: the lifecycle table of the design.
//!
//! Adapters and services never decide about a status themselves; they hand the state and the event to
//! [`ExecutionState::apply`] and persist what it answers.

use super::{Effect, ErrorKind, ExecutionStatus, FailureKind};

/// Something that happened to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutionEvent {
    /// A worker took it.
    Claimed,
    /// The claim never reached its worker: nothing was started.
    ClaimDropped,
    /// The operation returned.
    Returned,
    /// The operation reported an error, panicked, timed out or was not allowed.
    Failed(FailureKind),
    /// The lease ended, or the worker's process is known to be gone.
    WorkerVanished,
    /// The worker stops and its grace time is over.
    WorkerStopped,
    /// The deadline passed while it waited.
    DeadlinePassed,
    /// Somebody asked to cancel it.
    CancelRequested,
    /// The worker stopped the operation because of that request.
    CancelConfirmed,
}

impl ExecutionEvent {
    /// Every event.
    pub const ALL: [Self; 13] = [
        Self::Claimed,
        Self::ClaimDropped,
        Self::Returned,
        Self::Failed(FailureKind::Operation),
        Self::Failed(FailureKind::ExitStatus),
        Self::Failed(FailureKind::NotAllowed),
        Self::Failed(FailureKind::Panic),
        Self::Failed(FailureKind::Timeout),
        Self::WorkerVanished,
        Self::WorkerStopped,
        Self::DeadlinePassed,
        Self::CancelRequested,
        Self::CancelConfirmed,
    ];
}

/// All that the lifecycle depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionState {
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Whether a cancellation was asked for while it runs.
    pub cancel_requested: bool,
    /// The effect of its operation.
    pub effect: Effect,
    /// Whether it may be claimed once more after this attempt.
    pub attempts_left: bool,
}

/// What an event makes of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The new status.
    pub status: ExecutionStatus,
    /// The kind of error recorded with it.
    pub error: Option<ErrorKind>,
    /// Whether a cancellation is pending afterwards.
    pub cancel_requested: bool,
    /// Whether the attempt that just ended is given back.
    pub refund_attempt: bool,
}

/// The event cannot happen in this state; nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an execution that is {status}")]
pub struct InvalidTransition {
    /// Where the execution stood.
    pub status: ExecutionStatus,
    /// What was reported.
    pub event: ExecutionEvent,
}

const fn to(status: ExecutionStatus) -> Decision {
    Decision { status, error: None, cancel_requested: false, refund_attempt: false }
}

const fn with(status: ExecutionStatus, error: ErrorKind) -> Decision {
    Decision { error: Some(error), ..to(status) }
}

impl ExecutionState {
    /// Applies `event` by the table.
    ///
    /// # Errors
    /// [`InvalidTransition`] when the table has no row for it; a terminal status accepts nothing.
    #[expect(clippy::match_same_arms, reason = "one arm per row of the table")]
    pub const fn apply(self, event: ExecutionEvent) -> Result<Decision, InvalidTransition> {
        use ExecutionEvent as Event;
        use ExecutionStatus as Status;

        let at_most_once = matches!(self.effect, Effect::AtMostOnce);
        let decision = match (self.status, event) {
            (Status::Queued, Event::Claimed) => to(Status::Running),
            (Status::Queued, Event::DeadlinePassed) => with(Status::Expired, ErrorKind::Deadline),
            (Status::Queued, Event::CancelRequested) => to(Status::Cancelled),

            (Status::Running, Event::ClaimDropped) if self.cancel_requested => to(Status::Cancelled),
            (Status::Running, Event::ClaimDropped) => Decision { refund_attempt: true, ..to(Status::Queued) },
            (Status::Running, Event::Returned) => to(Status::Completed),
            (Status::Running, Event::Failed(kind)) => with(Status::Failed, ErrorKind::of_failure(kind)),
            (Status::Running, Event::CancelRequested) => Decision { cancel_requested: true, ..to(Status::Running) },
            (Status::Running, Event::CancelConfirmed) if self.cancel_requested => to(Status::Cancelled),
            (Status::Running, Event::WorkerStopped) if self.cancel_requested => to(Status::Cancelled),
            (Status::Running, Event::WorkerStopped) if at_most_once => with(Status::Failed, ErrorKind::Interrupted),
            (Status::Running, Event::WorkerStopped) => Decision { refund_attempt: true, ..to(Status::Queued) },
            (Status::Running, Event::WorkerVanished) if at_most_once => with(Status::Lost, ErrorKind::WorkerLost),
            (Status::Running, Event::WorkerVanished) if self.cancel_requested => to(Status::Cancelled),
            (Status::Running, Event::WorkerVanished) if self.attempts_left => to(Status::Queued),
            (Status::Running, Event::WorkerVanished) => with(Status::Failed, ErrorKind::WorkerLost),

            (status, event) => return Err(InvalidTransition { status, event }),
        };
        Ok(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row: status, cancel requested, effect (`None`: any), attempts left (`None`: any), event, what comes out.
    type Row = (
        ExecutionStatus,
        Option<bool>,
        Option<Effect>,
        Option<bool>,
        ExecutionEvent,
        (ExecutionStatus, Option<ErrorKind>, bool, bool),
    );

    /// The whole table; a cell that no row covers must be refused.
    #[rustfmt::skip]
    const TABLE: &[Row] = {
        use Effect::{AtMostOnce, Idempotent, Read};
        use ExecutionEvent::*;
        use ExecutionStatus::{Cancelled, Completed, Expired, Failed as Broken, Lost, Queued, Running};
        const NO: Option<bool> = Some(false);
        const YES: Option<bool> = Some(true);
        &[
            (Queued,  None, None,             None, Claimed,                         (Running,   None,                         false, false)),
            (Queued,  None, None,             None, DeadlinePassed,                  (Expired,   Some(ErrorKind::Deadline),    false, false)),
            (Queued,  None, None,             None, CancelRequested,                 (Cancelled, None,                         false, false)),
            (Running, NO,   None,             None, ClaimDropped,                    (Queued,    None,                         false, true)),
            (Running, YES,  None,             None, ClaimDropped,                    (Cancelled, None,                         false, false)),
            (Running, None, None,             None, Returned,                        (Completed, None,                         false, false)),
            (Running, None, None,             None, Failed(FailureKind::Operation),  (Broken,    Some(ErrorKind::Operation),   false, false)),
            (Running, None, None,             None, Failed(FailureKind::ExitStatus), (Broken,    Some(ErrorKind::ExitStatus),  false, false)),
            (Running, None, None,             None, Failed(FailureKind::NotAllowed), (Broken,    Some(ErrorKind::NotAllowed),  false, false)),
            (Running, None, None,             None, Failed(FailureKind::Panic),      (Broken,    Some(ErrorKind::Panic),       false, false)),
            (Running, None, None,             None, Failed(FailureKind::Timeout),    (Broken,    Some(ErrorKind::Timeout),     false, false)),
            (Running, None, None,             None, CancelRequested,                 (Running,   None,                         true,  false)),
            (Running, YES,  None,             None, CancelConfirmed,                 (Cancelled, None,                         false, false)),
            (Running, YES,  None,             None, WorkerStopped,                   (Cancelled, None,                         false, false)),
            (Running, NO,   Some(Read),       None, WorkerStopped,                   (Queued,    None,                         false, true)),
            (Running, NO,   Some(Idempotent), None, WorkerStopped,                   (Queued,    None,                         false, true)),
            (Running, NO,   Some(AtMostOnce), None, WorkerStopped,                   (Broken,    Some(ErrorKind::Interrupted), false, false)),
            (Running, NO,   Some(Read),       YES,  WorkerVanished,                  (Queued,    None,                         false, false)),
            (Running, NO,   Some(Idempotent), YES,  WorkerVanished,                  (Queued,    None,                         false, false)),
            (Running, NO,   Some(Read),       NO,   WorkerVanished,                  (Broken,    Some(ErrorKind::WorkerLost),  false, false)),
            (Running, NO,   Some(Idempotent), NO,   WorkerVanished,                  (Broken,    Some(ErrorKind::WorkerLost),  false, false)),
            (Running, YES,  Some(Read),       None, WorkerVanished,                  (Cancelled, None,                         false, false)),
            (Running, YES,  Some(Idempotent), None, WorkerVanished,                  (Cancelled, None,                         false, false)),
            (Running, None, Some(AtMostOnce), None, WorkerVanished,                  (Lost,      Some(ErrorKind::WorkerLost),  false, false)),
        ]
    };

    fn expected(state: ExecutionState, event: ExecutionEvent) -> Option<Decision> {
        let mut rows = TABLE.iter().filter(|(status, cancel, effect, attempts, on, _)| {
            *status == state.status
                && cancel.is_none_or(|cancel| cancel == state.cancel_requested)
                && effect.is_none_or(|effect| effect == state.effect)
                && attempts.is_none_or(|attempts| attempts == state.attempts_left)
                && *on == event
        });
        let row = rows.next();
        assert!(rows.next().is_none(), "two rows cover {state:?} on {event:?}");
        row.map(|&(.., (status, error, cancel_requested, refund_attempt))| Decision {
            status,
            error,
            cancel_requested,
            refund_attempt,
        })
    }

    #[test]
    fn every_state_answers_every_event_as_the_table_says() {
        for status in ExecutionStatus::ALL {
            for effect in Effect::ALL {
                for (cancel_requested, attempts_left) in [(false, false), (false, true), (true, false), (true, true)] {
                    for event in ExecutionEvent::ALL {
                        let state = ExecutionState { status, cancel_requested, effect, attempts_left };
                        assert_eq!(state.apply(event).ok(), expected(state, event), "{state:?} on {event:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_terminal_execution_accepts_nothing() {
        for status in ExecutionStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            for event in ExecutionEvent::ALL {
                let state =
                    ExecutionState { status, cancel_requested: false, effect: Effect::Read, attempts_left: true };
                assert_eq!(state.apply(event), Err(InvalidTransition { status, event }));
            }
        }
    }
}
