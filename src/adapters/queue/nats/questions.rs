//! Questions to other processes, and their answers.
//!
//! An answer goes to a subject of the asking process that permissions can name: a process that may answer need not be
//! allowed to answer wherever a question says.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Message, StatusCode};
use tokio::{sync::oneshot, time::timeout};
use uuid::Uuid;

use super::link::{Link, unavailable};
use crate::ports::driven::QueueError;

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The process answered this.
    Said(Vec<u8>),
    /// No process listens there.
    NotThere,
    /// Nothing was heard in time.
    Silence,
}

/// The questions of a process.
pub(super) struct Questions {
    session: Uuid,
    link: Arc<Link>,
    next: AtomicU64,
    asked: Mutex<HashMap<u64, oneshot::Sender<Message>>>,
}

/// A question that is forgotten when it is dropped.
struct Asked<'a> {
    number: u64,
    questions: &'a Questions,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.questions.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Questions {
    pub(super) fn new(session: Uuid, link: Arc<Link>) -> Self {
        Self { session, link, next: AtomicU64::new(0), asked: Mutex::default() }
    }

    /// Asks whoever listens at a subject, and waits so long for the answer.
    pub(super) async fn ask(
        &self,
        subject: String,
        question: Vec<u8>,
        patience: Duration,
    ) -> Result<Answer, QueueError> {
        self.link.up()?;
        let (answer, answered) = oneshot::channel();
        let asked = Asked { number: self.next.fetch_add(1, Ordering::Relaxed), questions: self };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(asked.number, answer);
        let reply = self.link.names.answer(self.session, asked.number);
        let sent = self.link.client.publish_with_reply(subject, reply, question.into()).await;
        sent.map_err(|error| unavailable("another process cannot be asked").with_source(error))?;
        Ok(match timeout(patience, answered).await {
            Ok(Ok(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => Answer::NotThere,
            Ok(Ok(message)) => Answer::Said(message.payload.into()),
            _ => Answer::Silence,
        })
    }

    /// An answer came.
    pub(super) fn hear(&self, message: Message) {
        let number = message.subject.rsplit('.').next().and_then(|number| number.parse().ok());
        let asked =
            number.and_then(|number: u64| self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&number));
        if let Some(asked) = asked {
            // Whoever asked may have stopped waiting.
            let _ = asked.send(message);
        }
    }
}
