//! What the writer is asked to do, and how it answers.

use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use crate::{
    adapters::queue::store::NewRows,
    domain::{Hostname, Idempotency, JobId},
    ports::driven::{Cancelled, Claim, ClaimRequest, ClaimToken, Deleted, Outcome, QueueError},
};

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, QueueError>>;

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
}

/// Something to write.
pub(super) enum Command {
    Submit(Box<NewRows>, Option<Idempotency>, Answer<Accepted>),
    Cancel(JobId, Answer<Cancelled>),
    Delete(JobId, Answer<Deleted>),
    Claim(ClaimRequest, Answer<Granted>),
    DropClaims(Vec<ClaimToken>),
    Finish(ClaimToken, Box<Outcome>, Answer<bool>),
    Drain(Hostname, bool, Answer<()>),
    Close,
}

/// Says whether a command was committed.
pub(super) type Reply = Box<dyn FnOnce(Option<&QueueError>) + Send>;

/// Answers with `value`, or with the error that undid it.
pub(super) fn reply<T: Send + 'static>(answer: Answer<T>, value: Result<T, QueueError>) -> Reply {
    Box::new(move |undone| {
        // Whoever stopped waiting need not know.
        let _ = answer.send(undone.map_or(value, |error| Err(repeat(error))));
    })
}

/// The same error once more, for everybody whose change was in the same transaction.
fn repeat(error: &QueueError) -> QueueError {
    QueueError::new(error.kind(), error.to_string())
}

/// Claims on their way to a worker. When nobody takes them, they go back.
#[derive(Debug)]
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
