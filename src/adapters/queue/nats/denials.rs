//! What the user of the connection may not do. The server says it beside the answers, and whoever asked hears nothing.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast;

/// How many are logged: each names a subject, of which there may be one for every job.
const LOGGED: usize = 20;
/// Refusals that a question may miss while it is not looked at.
const KEPT: usize = 64;

/// The user lacks a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denied(
    /// What the server said.
    pub(super) String,
);

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.0.trim().trim_matches('\'');
        write!(f, "the NATS user lacks a permission ({said}); docs/deploy-fleet.md lists those that are needed")
    }
}

impl std::error::Error for Denied {}

/// Hears refusals, and hands them to those whose questions they answer.
pub(super) struct Denials {
    said: broadcast::Sender<Arc<str>>,
    /// Those that were logged; none while the connection is opened.
    logged: Mutex<Option<HashSet<String>>>,
}

impl Denials {
    /// Nothing is logged at first: whoever opens the connection says what it means.
    pub(super) fn new() -> Self {
        Self { said: broadcast::Sender::new(KEPT), logged: Mutex::new(None) }
    }

    /// From now on a refusal is a line of the log, once.
    pub(super) fn log(&self) {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    /// The server said this, if it is a refusal.
    pub(super) fn hear(&self, said: &str) -> bool {
        if !said.to_lowercase().contains("permissions violation") {
            return false;
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(logged) = logged.as_mut().filter(|logged| logged.len() < LOGGED)
            && logged.insert(said.to_owned())
        {
            tracing::error!("{}", Denied(said.to_owned()));
        }
        drop(logged);
        // Without anybody who waits nobody is told.
        let _ = self.said.send(said.into());
        true
    }

    /// Waits for the answer to what was sent to a subject, no longer than until the server says that it may not be.
    pub(super) async fn or_denied<T>(&self, subject: &str, answer: impl Future<Output = T>) -> Result<T, Denied> {
        let mut said = self.said.subscribe();
        let denied = async {
            loop {
                match said.recv().await {
                    Ok(said) if concerns(&said, subject) => return Denied(said.as_ref().to_owned()),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            denied = denied => Err(denied),
        }
    }
}

/// Whether a refusal is that of a question to this subject, or of hearing answers at all.
fn concerns(said: &str, subject: &str) -> bool {
    said.contains(&format!("\"{subject}\"")) || said.to_lowercase().contains("violation for subscription")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "'Permissions Violation for Publish to \"osapi.state.ledger\"'";

    #[tokio::test]
    async fn a_refusal_ends_the_wait_of_the_question_that_it_names() {
        let denials = Denials::new();
        let refused = denials.or_denied("osapi.state.ledger", std::future::pending::<()>());
        let other = denials.or_denied("osapi.state", async {
            tokio::task::yield_now().await;
            7
        });
        let (refused, other, heard) = tokio::join!(refused, other, async { denials.hear(SAID) });
        let text = refused.expect_err("it is refused").to_string();
        assert!(text.contains("(Permissions Violation for Publish to \"osapi.state.ledger\")"), "{text}");
        assert_eq!((other, heard), (Ok(7), true));
        assert!(!denials.hear("something else"));
    }
}
