//! Who waits for work, and what was claimed for them: never more than they can run.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot};

use super::executions::{Executions, Held};
use crate::ports::driven::{Claim, ClaimRequest};

/// A claim for which nobody asks for so long goes back: a worker that goes on asks again at once.
const UNWANTED: Duration = Duration::from_millis(500);

/// Somebody who waits for work.
pub(super) struct Parked {
    pub(super) request: ClaimRequest,
    pub(super) answer: oneshot::Sender<Granted>,
}

/// Claims on their way to a worker. When nobody takes them, they go back.
pub(super) struct Granted {
    claims: Vec<(Claim, Arc<Held>)>,
    executions: Arc<Executions>,
}

impl Granted {
    /// Hands them over.
    pub(super) fn take(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.claims).into_iter().map(|(claim, _)| claim).collect()
    }

    /// Gives them back.
    async fn give_back(mut self) {
        for (claim, held) in std::mem::take(&mut self.claims) {
            self.executions.drop_claim(&held, claim.token).await;
        }
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        // Without a runtime the leases end by themselves.
        let Ok(runtime) = Handle::try_current() else { return };
        for (claim, held) in std::mem::take(&mut self.claims) {
            let executions = Arc::clone(&self.executions);
            runtime.spawn(async move { executions.drop_claim(&held, claim.token).await });
        }
    }
}

/// Who waits, and what is there for them.
pub(super) struct Hands {
    executions: Arc<Executions>,
    parked: VecDeque<Parked>,
    /// Hints that are being turned into claims.
    pub(super) claiming: usize,
    ready: Vec<(Claim, Arc<Held>)>,
    /// Since when there is something ready.
    ready_since: Instant,
}

impl Hands {
    pub(super) fn new(executions: Arc<Executions>) -> Self {
        Self { executions, parked: VecDeque::new(), claiming: 0, ready: Vec::new(), ready_since: Instant::now() }
    }

    /// Somebody waits from now on.
    pub(super) fn park(&mut self, parked: Parked) {
        self.parked.push_back(parked);
        self.deliver();
    }

    /// Slots for which nothing is on its way.
    pub(super) fn free(&mut self) -> usize {
        self.parked.retain(|parked| !parked.answer.is_closed());
        let wanted: usize = self.parked.iter().map(|parked| parked.request.max as usize).sum();
        wanted.saturating_sub(self.claiming + self.ready.len())
    }

    /// A hint was turned into a claim, or was none.
    pub(super) fn claimed(&mut self, claimed: Option<(Claim, Arc<Held>)>) {
        self.claiming -= 1;
        if let Some(claimed) = claimed {
            if self.ready.is_empty() {
                self.ready_since = Instant::now();
            }
            self.ready.push(claimed);
        }
        self.deliver();
    }

    /// Gives what is there to the first who waits, when it is all for which he waits or all that is on its way.
    fn deliver(&mut self) {
        self.parked.retain(|parked| !parked.answer.is_closed());
        while let Some(first) = self.parked.front()
            && !self.ready.is_empty()
        {
            let max = first.request.max as usize;
            if self.ready.len() < max && self.claiming > 0 {
                return;
            }
            self.ready.sort_by_key(|(claim, _)| claim.job_id);
            let rest = self.ready.split_off(max.min(self.ready.len()));
            let claims = std::mem::replace(&mut self.ready, rest);
            let granted = Granted { claims, executions: Arc::clone(&self.executions) };
            if let Some(first) = self.parked.pop_front() {
                // Whoever is gone gives them back by dropping them.
                let _ = first.answer.send(granted);
            }
        }
    }

    /// When what nobody wants goes back.
    pub(super) fn unwanted_at(&self) -> Option<Instant> {
        (!self.ready.is_empty()).then(|| self.ready_since + UNWANTED)
    }

    /// Waits until the first who waits is gone.
    pub(super) async fn gone(&mut self) {
        match self.parked.front_mut() {
            Some(first) => first.answer.closed().await,
            None => std::future::pending().await,
        }
    }

    /// Gives back what is there.
    pub(super) async fn give_back(&mut self) {
        let claims = std::mem::take(&mut self.ready);
        Granted { claims, executions: Arc::clone(&self.executions) }.give_back().await;
    }
}
