//! What the writer is asked to do, and how it answers.

use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use crate::{
    adapters::queue::store::{NewRows, repeat},
    domain::{Hostname, Idempotency, JobId},
    ports::driven::{Cancelled, Claim, ClaimRequest, ClaimToken, Deleted, Outcome, QueueError},
};

/// Where an answer goes.
type Answer<T> = oneshot::Sender<Result<T, QueueError>>;

/// An answer to come: what it will be is known before it is true.
pub(super) struct Pending<T> {
    answer: Answer<T>,
    outcome: Option<Result<T, QueueError>>,
}

impl<T> Pending<T> {
    pub(super) fn new(answer: Answer<T>) -> Self {
        Self { answer, outcome: None }
    }

    /// Whether whoever asked has stopped waiting.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// What the answer will be if the transaction is committed.
    pub(super) fn set(&mut self, outcome: Result<T, QueueError>) {
        self.outcome = Some(outcome);
    }

    /// Answers, with the error that undid the transaction if there is one. Without an outcome nobody is answered.
    pub(super) fn send(self, undone: Option<&QueueError>) {
        if let Some(outcome) = undone.map(|error| Err(repeat(error))).or(self.outcome) {
            // Whoever stopped waiting need not know.
            let _ = self.answer.send(outcome);
        }
    }
}

/// What became of a submission.
#[derive(Debug)]
pub(super) enum Accepted {
    /// Stored as it was sent.
    Created,
    /// The key made this job before; whether it asked for the same.
    Known {
        /// The job.
        id: JobId,
        /// Whether the request was the same.
        same: bool,
    },
    /// There is no room for it.
    Full,
}

/// Something to write.
pub(super) enum Command {
    Check(Pending<()>),
    Submit(Box<NewRows>, Option<Idempotency>, Pending<Accepted>),
    Cancel(JobId, Pending<Cancelled>),
    Delete(JobId, Pending<Deleted>),
    Claim(ClaimRequest, Pending<Granted>),
    DropClaims(Vec<ClaimToken>),
    Finish(ClaimToken, Box<Outcome>, Pending<bool>),
    Drain(Hostname, bool, Pending<()>),
    Close,
}

impl Command {
    /// Decides that it fails.
    pub(super) fn fail(&mut self, error: QueueError) {
        match self {
            Self::Check(pending) | Self::Drain(.., pending) => pending.set(Err(error)),
            Self::Submit(.., pending) => pending.set(Err(error)),
            Self::Cancel(_, pending) => pending.set(Err(error)),
            Self::Delete(_, pending) => pending.set(Err(error)),
            Self::Finish(.., pending) => pending.set(Err(error)),
            Self::DropClaims(_) => tracing::debug!(%error, "claims that nobody took wait for the end of their leases"),
            Self::Claim(..) | Self::Close => {}
        }
    }

    /// Answers whoever asked, after the commit or with the error that prevented it.
    pub(super) fn answer(self, undone: Option<&QueueError>) {
        match self {
            Self::Check(pending) | Self::Drain(.., pending) => pending.send(undone),
            Self::Submit(.., pending) => pending.send(undone),
            Self::Cancel(_, pending) => pending.send(undone),
            Self::Delete(_, pending) => pending.send(undone),
            Self::Finish(.., pending) => pending.send(undone),
            Self::DropClaims(_) | Self::Claim(..) | Self::Close => {}
        }
    }
}

/// Claims on their way to a worker. When nobody takes them, they go back.
pub(super) struct Granted {
    claims: Vec<Claim>,
    back: SyncSender<Command>,
}

impl Granted {
    pub(super) fn new(claims: Vec<Claim>, back: SyncSender<Command>) -> Self {
        Self { claims, back }
    }

    /// Hands them over.
    pub(super) fn take(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.claims)
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        let tokens: Vec<ClaimToken> = self.claims.iter().map(|claim| claim.token).collect();
        if !tokens.is_empty() {
            // When the writer has no room for it, the leases end by themselves.
            let _ = self.back.try_send(Command::DropClaims(tokens));
        }
    }
}
