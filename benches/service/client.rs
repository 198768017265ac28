//! A client that costs little: one thread, keep-alive connections, requests that are written as they are.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
};

use crate::report::{median, p50_p99, per_second};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request, as it goes over the wire.
#[derive(Clone)]
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// With a token, more lines of the head, and a body.
    pub(crate) fn new(method: &str, path: &str, token: &str, head: &str, body: &str) -> Self {
        let length = body.len();
        Self(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n{head}\r\n{body}"
            )
            .into_bytes(),
        )
    }
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream, received: Vec::with_capacity(16 * 1024) }
    }

    /// The status and the body of the answer.
    pub(crate) async fn ask(&mut self, request: &Request) -> (u16, &[u8]) {
        let answered = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let (status, start) = answered.expect("an answer in time");
        (status, &self.received[start..])
    }

    async fn exchange(&mut self, request: &Request) -> (u16, usize) {
        self.stream.write_all(&request.0).await.expect("the server reads");
        self.received.clear();
        let head = loop {
            self.read().await;
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, length) = read_head(&self.received[..head]);
        while self.received.len() < head + length {
            self.read().await;
        }
        (status, head)
    }

    async fn read(&mut self) {
        let read = self.stream.read_buf(&mut self.received).await.expect("the server writes");
        assert_ne!(read, 0, "the server closed the connection");
    }
}

/// Status and length of the body. Every answer that is measured states its length.
fn read_head(head: &[u8]) -> (u16, usize) {
    let head = std::str::from_utf8(head).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)).and_then(|code| code.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    (status.expect("a status"), length.unwrap_or_default())
}

/// What many clients do: each its next request after the answer to the one before.
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    /// Sent in turn.
    pub(crate) requests: &'a [Request],
    pub(crate) clients: usize,
    /// All together.
    pub(crate) count: usize,
    /// What every answer must be.
    pub(crate) status: u16,
    /// What every answer must contain.
    pub(crate) contains: &'a str,
}

/// What came of it.
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    /// In order.
    pub(crate) latencies: Vec<Duration>,
}

impl Measured {
    /// The median rate and all latencies of so many rounds.
    pub(crate) fn rounds(rounds: usize, round: impl FnMut() -> Self) -> Self {
        let mut all: Vec<Self> = std::iter::repeat_with(round).take(rounds).collect();
        let per_second = median(&mut all.iter().map(|one| one.per_second).collect::<Vec<_>>());
        let mut latencies: Vec<Duration> = all.drain(..).flat_map(|one| one.latencies).collect();
        latencies.sort_unstable();
        Self { per_second, latencies }
    }

    /// Two percentiles of the latencies.
    pub(crate) fn p50_p99(&self) -> String {
        p50_p99(&self.latencies)
    }
}

/// The clients' thread.
pub(crate) struct Clients(Runtime);

impl Clients {
    pub(crate) fn new() -> Self {
        Self(Builder::new_current_thread().enable_all().build().expect("a runtime"))
    }

    /// Waits for something that clients do.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.block_on(work)
    }

    /// One request on a connection of its own: status and body.
    pub(crate) fn ask(&self, address: SocketAddr, request: &Request) -> (u16, String) {
        self.wait(async {
            let mut connection = Connection::open(address).await;
            let (status, body) = connection.ask(request).await;
            (status, String::from_utf8_lossy(body).into_owned())
        })
    }

    pub(crate) fn run(&self, load: &Load<'_>) -> Measured {
        let sent = AtomicUsize::new(0);
        let (elapsed, mut latencies) = self.wait(async {
            let mut connections = Vec::with_capacity(load.clients);
            for _ in 0..load.clients {
                connections.push(Connection::open(load.address).await);
            }
            let begun = Instant::now();
            let clients = connections.into_iter().map(|connection| client(connection, load, &sent));
            let latencies = futures_util::future::join_all(clients).await;
            (begun.elapsed(), latencies.concat())
        });
        latencies.sort_unstable();
        Measured { per_second: per_second(latencies.len(), elapsed), latencies }
    }
}

async fn client(mut connection: Connection, load: &Load<'_>, sent: &AtomicUsize) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(load.count / load.clients + 1);
    loop {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        if number >= load.count {
            return latencies;
        }
        let begun = Instant::now();
        let (status, body) = connection.ask(&load.requests[number % load.requests.len()]).await;
        latencies.push(begun.elapsed());
        let contained = load.contains.is_empty()
            || body.windows(load.contains.len()).any(|window| window == load.contains.as_bytes());
        assert!(status == load.status && contained, "{status} {}", String::from_utf8_lossy(body));
    }
}
