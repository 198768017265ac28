//! The accept loop: connections with limits, and an end that lets running requests finish.
//!
//! The framework's own server polls a connection that has ended, so a client that leaves is not noticed; and it knows
//! none of the limits below (ADR 4).

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use poem::{
    Endpoint, Request,
    http::{HeaderValue, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{app::App, unread_body::UnreadBody};

/// Waits after an accept that failed: when there are no file descriptors left, trying at once would only spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Failures of accept are logged no more often than this.
const LOG_AGAIN: Duration = Duration::from_secs(10);

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Connections at the same time; more wait to be accepted.
    pub connections: usize,
    /// Time to send the head of a request, and time between two requests.
    pub head_time: Duration,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// Time for running requests after the stop.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_time: Duration::from_secs(30),
            head_bytes: 16 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves until `stopping` turns `true`, then lets running requests finish.
pub async fn serve(listener: TcpListener, app: App, limits: ServeLimits, mut stopping: watch::Receiver<bool>) {
    let local = listener.local_addr().ok();
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => break,
            accepted = accept(&listener, &places) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, place)) => {
                let connection = graceful.watch(connection(stream, peer, local, Arc::clone(&app), limits));
                connections.spawn(async move {
                    // A connection that ends badly is its client's business.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() > LOG_AGAIN) {
                    tracing::warn!(%error, "cannot accept connections, trying again");
                    logged = Some(Instant::now());
                }
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests still run, abandoning them");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    app: App,
    limits: ServeLimits,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // Answers are small and complete: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let app = Arc::clone(&app);
        let local = LocalAddr(local.unwrap_or(peer).into());
        async move {
            let mut request = Request::from((request, local, RemoteAddr(peer.into()), Scheme::HTTP));
            let unread = UnreadBody::keep(&mut request);
            let mut response = app.call(request).await.unwrap_or_else(poem::Error::into_response);
            if let Some(unread) = unread
                && !unread.read_on().await
            {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            let response: hyper::Response<_> = response.into();
            Ok::<_, Infallible>(response)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service)
}
