//! Hints of one consumer, asked for in so many as there are free slots.
//!
//! The client's own streams ask for more than can run, and open an inbox for every question. Here one inbox serves all
//! questions of a connection, and what was asked for is counted.

use std::time::{Duration, Instant};

use async_nats::{Client, Message, StatusCode, Subscriber, jetstream};
use futures_util::StreamExt;

use super::link::{Link, unavailable};
use crate::ports::driven::QueueError;

/// How long a question stays with the server. When its process is cut off, hints that are sent to it wait for others
/// no longer than this.
const EXPIRES: Duration = Duration::from_secs(10);
/// A server that has said nothing for so long has forgotten the question.
const FORGOTTEN: Duration = Duration::from_secs(15);
/// A question's end, and how many messages it still asked for.
const PENDING: &str = "Nats-Pending-Messages";

/// What came.
pub(super) enum Heard {
    /// A hint.
    Hint(Box<jetstream::Message>),
    /// A question has ended.
    Less,
    /// The consumer is gone, or moves to another server.
    Gone,
}

/// The questions to one consumer.
pub(super) struct Pulls {
    client: Client,
    context: jetstream::Context,
    subject: String,
    inbox: String,
    answers: Subscriber,
    /// Messages that the server may still send.
    asked: usize,
    heard: Instant,
}

impl Pulls {
    /// Of this consumer of the work stream.
    pub(super) async fn open(link: &Link, consumer: &str) -> Result<Self, QueueError> {
        let inbox = link.client.new_inbox();
        let answers = link.client.subscribe(inbox.clone()).await;
        Ok(Self {
            client: link.client.clone(),
            context: link.context.clone(),
            subject: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{consumer}", link.names.work_stream()),
            inbox,
            answers: answers.map_err(|error| unavailable("hints cannot be heard").with_source(error))?,
            asked: 0,
            heard: Instant::now(),
        })
    }

    /// Asks for as many as are missing to so many.
    pub(super) async fn ask(&mut self, wanted: usize) -> Result<(), QueueError> {
        let missing = wanted.saturating_sub(self.asked);
        if missing == 0 {
            return Ok(());
        }
        let question = format!(r#"{{"batch":{missing},"expires":{}}}"#, EXPIRES.as_nanos());
        let sent = self.client.publish_with_reply(self.subject.clone(), self.inbox.clone(), question.into()).await;
        sent.map_err(|error| unavailable("hints cannot be asked for").with_source(error))?;
        if self.asked == 0 {
            self.heard = Instant::now();
        }
        self.asked += missing;
        Ok(())
    }

    /// When to give up on the server, if it says nothing until then.
    pub(super) fn forgotten_at(&self) -> Option<Instant> {
        (self.asked > 0).then(|| self.heard + FORGOTTEN)
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Heard {
        let Some(message) = self.answers.next().await else { return Heard::Gone };
        self.heard = Instant::now();
        self.hear(message)
    }

    fn hear(&mut self, message: Message) -> Heard {
        match message.status {
            None => {
                self.asked = self.asked.saturating_sub(1);
                Heard::Hint(Box::new(jetstream::Message { message, context: self.context.clone() }))
            }
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {
                self.asked = self.asked.saturating_sub(unanswered(&message));
                Heard::Less
            }
            Some(StatusCode::IDLE_HEARTBEAT) => Heard::Less,
            Some(_) => Heard::Gone,
        }
    }
}

/// How many messages a question that has ended still asked for.
fn unanswered(message: &Message) -> usize {
    let header = message.headers.as_ref().and_then(|headers| headers.get(PENDING));
    // A server that does not say it had one question for one message.
    header.and_then(|count| count.as_str().parse().ok()).unwrap_or(1)
}
