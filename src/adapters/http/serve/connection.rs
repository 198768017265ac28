//! A connection: requests and answers by the HTTP library, and beside it the clock and the watch over the client.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::{HttpService, service_fn},
};
use hyper_util::rt::TokioIo;
use poem::{
    Endpoint, Request,
    http::{HeaderValue, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    ServeLimits,
    answer_body::{AnswerBody, Answering},
    connection_state::{ConnectionState, Waiting},
    socket::{Client, Socket},
    unread_body::{NoBodyRead, UnreadBody},
};
use crate::{adapters::http::app::App, ports::driven::Limit};

/// Bytes of an unread body that are thrown away after the answer, and the time for it: a client that still sends when
/// its connection is closed loses the answer (RFC 9112 §9.6).
const LINGER_BYTES: usize = 8 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// A connection: ready when it is over. With the limit that ended it, if one did.
pub(super) struct Connection<S>
where
    S: HttpService<Incoming>,
{
    http: http1::Connection<TokioIo<Socket>, S>,
    socket: Socket,
    state: Arc<ConnectionState>,
    limits: ServeLimits,
    timer: Pin<Box<Sleep>>,
    /// The HTTP library was told that the process stops.
    stopping: bool,
    /// Until when, and how much, the client may still send after the answer.
    lingering: Option<(Instant, usize)>,
}

/// The connection of a client that has just come.
pub(super) fn connection(
    stream: TcpStream,
    ends: Ends,
    app: App,
    limits: ServeLimits,
    state: Arc<ConnectionState>,
) -> impl Future<Output = Option<Limit>> + Send {
    // Answers are small and complete: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let socket = Socket::new(stream, Arc::clone(&state), limits.look_again);
    let (of_calls, watched) = (Arc::clone(&state), socket.clone());
    let calls = service_fn(move |request: hyper::Request<Incoming>| {
        let answering = Answering::begin(&of_calls);
        watched.request_begins();
        let (app, state) = (Arc::clone(&app), Arc::clone(&of_calls));
        async move {
            let answering = answering.ok_or(TooLate)?;
            let mut request =
                Request::from((request, LocalAddr(ends.local.into()), RemoteAddr(ends.peer.into()), Scheme::HTTP));
            let unread = UnreadBody::keep(&mut request);
            let mut response = app.call(request).await.unwrap_or_else(poem::Error::into_response);
            if let Some(unread) = unread {
                let unwanted = response.extensions().get::<NoBodyRead>().is_some();
                if unwanted {
                    state.linger();
                }
                if unwanted || !unread.read_on().await {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
            }
            let response: hyper::Response<_> = response.into();
            Ok::<_, TooLate>(response.map(|body| AnswerBody { body, _answering: answering }))
        }
    });
    // A client that sends nothing more can still read. Times are kept here: the library knows one for all of them.
    let http = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes)
        .max_headers(64)
        .serve_connection(TokioIo::new(socket.clone()), calls);
    let timer = Box::pin(sleep_until(Instant::now() + limits.head_time.min(limits.idle_time)));
    Connection { http, socket, state, limits, timer, stopping: false, lingering: None }
}

impl<S, B> Connection<S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Lets the HTTP library work. Ready when it has ended.
    fn poll_http(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // It reads what was read ahead of it when it is polled, and nothing would wake it for that.
        for _ in 0..2 {
            self.socket.before_poll();
            if Pin::new(&mut self.http).poll(context).is_ready() {
                return Poll::Ready(());
            }
            if self.state.is_running() || !self.socket.is_overlooked() {
                break;
            }
        }
        Poll::Pending
    }

    /// When the client must have done something, and the limit that it exceeds otherwise.
    fn deadline(&self) -> Option<(Instant, Option<Limit>)> {
        let Self { limits, .. } = self;
        match self.state.waiting() {
            Waiting::First(since) | Waiting::Head(since) => Some((since + limits.head_time, Some(Limit::HeadTime))),
            Waiting::Next(since) => Some((since + limits.idle_time, None)),
            Waiting::Reader(since) => Some((since + limits.answer_time, Some(Limit::AnswerTime))),
            Waiting::Answer => None,
        }
    }

    /// Waits for the time at which something is due. Ready when the client is too late.
    fn poll_deadline(&mut self, context: &mut Context<'_>, look_again: Option<Instant>) -> Poll<Option<Limit>> {
        loop {
            let deadline = self.deadline();
            let due = deadline.map(|(due, _)| due).into_iter().chain(look_again).min();
            // A timer that is early costs one look; moving it with every request would cost more.
            if let Some(due) = due.filter(|due| *due < self.timer.deadline()) {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            if let Some((_, limit)) = deadline.filter(|(due, _)| *due <= now) {
                return Poll::Ready(limit);
            }
            self.timer.as_mut().reset(due.filter(|due| *due > now).unwrap_or(now + self.limits.head_time));
            if look_again.is_some_and(|look_again| look_again <= now) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let start = (Instant::now() + LINGER_TIME, LINGER_BYTES);
        let (until, left) = self.lingering.get_or_insert(start);
        if self.socket.poll_discard(context, left).is_ready() {
            return Poll::Ready(());
        }
        if self.timer.deadline() != *until {
            self.timer.as_mut().reset(*until);
        }
        self.timer.as_mut().poll(context)
    }
}

impl<S, B> Future for Connection<S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Output = Option<Limit>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Limit>> {
        let this = &mut *self;
        this.state.register(context.waker());
        if this.state.is_closed() {
            return Poll::Ready(None);
        }
        if this.lingering.is_some() {
            return this.poll_linger(context).map(|()| None);
        }
        if this.state.is_stopping() && !this.stopping {
            this.stopping = true;
            Pin::new(&mut this.http).graceful_shutdown();
        }
        if this.poll_http(context).is_ready() {
            return if this.state.lingers() { this.poll_linger(context).map(|()| None) } else { Poll::Ready(None) };
        }
        if this.state.take_wanted() && this.state.blocked_since().is_some() {
            this.socket.reset_at_end();
            return Poll::Ready(None);
        }
        let mut look_again = None;
        if this.state.is_running() {
            match this.socket.watch(context) {
                Client::Waits(again) => look_again = again,
                Client::Left => return Poll::Ready(None),
            }
        }
        let limit = ready!(this.poll_deadline(context, look_again));
        if limit == Some(Limit::AnswerTime) {
            this.socket.reset_at_end();
        }
        Poll::Ready(limit)
    }
}

/// The connection was told to end just before the request came.
#[derive(Debug)]
struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is being closed")
    }
}

impl std::error::Error for TooLate {}
