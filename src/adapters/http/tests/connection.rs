//! A server on a port of its own, and a client that says exactly what it is told to.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    adapters::http::{App, ServeLimits, serve},
    ports::driven::HttpMetrics,
};

/// A connection that is still open then stays open, at least until a default of the HTTP library that we do not want.
const HOPELESS: Duration = Duration::from_secs(20);

/// A server that runs.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(app: App, limits: ServeLimits) -> Self {
        Self::counting(app, limits, None).await
    }

    /// With what counts the limits that were applied.
    pub(super) async fn counting(app: App, limits: ServeLimits, metrics: Option<Arc<dyn HttpMetrics>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopping) = watch::channel(false);
        let served = tokio::spawn(serve(listener, app, limits, metrics, stopping));
        Self { address, stop, served }
    }

    /// Asks it to stop.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when it has.
    pub(super) async fn stopped(self) {
        self.served.await.expect("it ends by itself");
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A connection to a server.
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) async fn open(server: &Server) -> Self {
        Self(BufReader::new(TcpStream::connect(server.address).await.expect("a connection")))
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.expect("the server reads");
    }

    /// Sends a request without a body, of somebody who may read.
    pub(super) async fn ask(&mut self, method: &str, path: &str, more: &str) {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer read\r\n{more}\r\n")).await;
    }

    /// The head of the next answer, and its body unless `bodiless`.
    async fn receive(&mut self, bodiless: bool) -> Received {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).await.expect("an answer");
            assert_ne!(read, 0, "the connection ended after {lines:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines[0].split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
        let headers: HashMap<_, _> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; if bodiless { 0 } else { length }];
        self.0.read_exact(&mut body).await.expect("the whole body");
        Received { status, headers, body: String::from_utf8(body).expect("text") }
    }

    pub(super) async fn answer(&mut self) -> Received {
        self.receive(false).await
    }

    /// The answer to HEAD.
    pub(super) async fn answer_to_head(&mut self) -> Received {
        self.receive(true).await
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub(super) async fn half_close(&mut self) {
        self.0.get_mut().shutdown().await.expect("it is open");
    }

    /// Closes without a word to the end.
    pub(super) fn reset(self) {
        self.0.get_ref().set_zero_linger().expect("it is open");
    }

    /// What has come, once it is so many bytes; they are still to be read.
    pub(super) async fn peek_until(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        while self.0.get_ref().peek(&mut bytes).await.expect("it is open") < count {
            tokio::task::yield_now().await;
        }
        String::from_utf8(bytes).expect("text")
    }

    /// Reads so many bytes.
    pub(super) async fn skip(&mut self, count: usize) {
        self.0.read_exact(&mut vec![0; count]).await.expect("so many");
    }

    /// Returns when the server has closed the connection, with what came before that.
    pub(super) async fn ended(mut self) -> String {
        let mut rest = String::new();
        let end = timeout(HOPELESS, self.0.read_to_string(&mut rest)).await.expect("the server closes the connection");
        end.expect("text and a clean end");
        rest
    }
}
