//! How the streams stand: which ones are there, how far they go, and what the server's time is.

use std::sync::atomic::Ordering;

use async_nats::jetstream::{self, ErrorCode, context::ContextBuilder, response::Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    link::{ANSWER, Link, MADE, not_allowed, unavailable},
    streams::Opening,
};
use crate::ports::driven::QueueError;

/// How a stream stands.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// When it was made: another stream of the same name has another.
    pub(super) identity: String,
    /// The sequence of its last record.
    pub(super) last: u64,
}

/// What the server says of a stream; the client leaves the server's time out.
#[derive(Deserialize)]
struct Info {
    created: String,
    state: InfoState,
    config: InfoConfig,
    ts: Option<Timestamp>,
}

#[derive(Deserialize)]
struct InfoConfig {
    max_msg_size: Option<i64>,
}

#[derive(Deserialize)]
struct InfoState {
    last_seq: u64,
}

/// A question without parameters.
#[derive(Serialize)]
struct Empty {}

impl Link {
    /// How a stream stands. Also hears what the server's time is.
    pub(super) async fn stand(&self, stream: &str) -> Result<Standing, QueueError> {
        self.up()?;
        let subject = format!("STREAM.INFO.{stream}");
        let asked = format!("$JS.API.{subject}");
        let answer = timeout(ANSWER, self.context.request(subject, &Empty {}));
        let answer = self.denials.or_denied(&asked, answer).await.map_err(|denied| not_allowed(&denied))?;
        let unreadable = |error| unavailable("how a stream stands cannot be read").with_source(error);
        let answer: Response<Info> =
            answer.map_err(|_| unavailable("the NATS server does not answer"))?.map_err(unreadable)?;
        match answer {
            Response::Ok(info) => {
                if let Some(now) = info.ts {
                    self.time.heard(now.as_microsecond());
                }
                if *stream == self.names.state_stream() {
                    self.largest_message.store(info.config.max_msg_size.unwrap_or(-1), Ordering::Relaxed);
                }
                Ok(Standing { identity: info.created, last: info.state.last_seq })
            }
            Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Err(unavailable("a stream of the NATS server is gone").with_source(error))
            }
            Response::Err { error } => Err(unavailable("a stream cannot be asked how it stands").with_source(error)),
        }
    }

    /// Makes those streams again that are gone. Fails when one cannot be made, or does not answer.
    pub(super) async fn restore_streams(&self) -> Result<(), QueueError> {
        let mut gone = Vec::new();
        for stream in self.names.streams() {
            match self.stand(&stream).await {
                Ok(_) => {}
                Err(error) if is_gone(&error) => gone.push(stream),
                Err(error) => return Err(error),
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let streams = gone.join(", ");
        tracing::error!(streams, "streams of the NATS server are gone with what was in them, making them again");
        let opening = Opening {
            patient: ContextBuilder::new().timeout(MADE).build(self.client.clone()),
            denials: &self.denials,
            names: &self.names,
            replicas: self.replicas,
            key_age: self.key_age,
        };
        let made = opening.make(&self.context).await;
        made.map(drop).map_err(|error| unavailable("a stream that is gone cannot be made again").with_source(error))
    }
}

/// Whether an error says that a stream is gone.
fn is_gone(error: &QueueError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    source.is_some_and(|error| error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
