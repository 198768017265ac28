//! What an application leaves unread of a request's body.
//!
//! A connection whose request was not read to its end cannot take another one, and one that is closed while its client
//! still sends loses the answer (RFC 9112 §9.6). So what is left is read and thrown away as far as that is worth it;
//! beyond that the answer says that the connection ends.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use hyper::body::Bytes;
use poem::{Body, Request, http::header};
use tokio::time::timeout;

/// Bytes that are read for nothing, at most.
const WORTH_READING: usize = 8 << 20;
/// Time that is spent on it, at most.
const WORTH_WAITING: Duration = Duration::from_secs(2);

/// Marks the answer of a route that reads no body: what the client sends all the same is not waited for.
#[derive(Debug, Clone, Copy)]
pub(in crate::adapters::http) struct NoBodyRead;

/// The body of a request that is being answered: its reader, and what keeps it for the time after the answer.
#[derive(Clone)]
pub(super) struct UnreadBody {
    state: Arc<Mutex<State>>,
}

struct State {
    body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    /// Whether there is nothing left, or nothing that could be read.
    ended: bool,
    /// Whether the client waits for a word before it sends (RFC 9110 §10.1.1).
    expects: bool,
}

impl UnreadBody {
    /// Keeps hold of the body of a request; none when it has none.
    pub(super) fn keep(request: &mut Request) -> Option<Self> {
        let headers = request.headers();
        let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
        if empty && !headers.contains_key(header::TRANSFER_ENCODING) {
            return None;
        }
        let expects = headers.contains_key(header::EXPECT);
        let body = Box::pin(request.take_body().into_bytes_stream());
        let kept = Self { state: Arc::new(Mutex::new(State { body, ended: false, expects })) };
        request.set_body(Body::from_bytes_stream(kept.clone()));
        Some(kept)
    }

    /// Reads what is left. `false` when too much is, so that the connection must end.
    pub(super) async fn read_on(mut self) -> bool {
        let (ended, expects) = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.ended, state.expects)
        };
        if ended || expects {
            return ended;
        }
        let reading = async {
            let mut read = 0;
            while let Some(Ok(bytes)) = self.next().await {
                read += bytes.len();
                if read > WORTH_READING {
                    return false;
                }
            }
            true
        };
        timeout(WORTH_WAITING, reading).await.unwrap_or(false)
    }
}

impl Stream for UnreadBody {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return Poll::Ready(None);
        }
        let polled = state.body.as_mut().poll_next(context);
        state.ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }
}
