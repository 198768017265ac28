//! The socket below a connection: it sees what HTTP does not say. Whether a client reads, and whether one that sends
//! nothing more still listens.
//!
//! A client that closes and one that only shuts down its sending side look the same: both send a FIN. The difference
//! shows when something is sent to them: the system of a client that has closed answers with a reset. So while such a
//! client waits, it is sent the first bytes of its answer one by one: they are the same for every answer (ADR 4).

use std::{
    future::Future,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::Instant,
};

use super::connection_state::ConnectionState;

/// How every answer begins.
const BEGINNING: &[u8] = b"HTTP/1.";
/// An interim answer of the HTTP library: after it, the answer still has to begin.
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Bytes that are read while a request runs, to see whether its client is still there.
const AHEAD: usize = 16 * 1024;

type Failure = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the HTTP library and the connection share of a socket.
struct Link {
    reader: OwnedReadHalf,
    writer: Arc<OwnedWriteHalf>,
    state: Arc<ConnectionState>,
    /// Time between two bytes of the beginning. The first is sent as soon as a client sends nothing more; there are
    /// enough of them for the longest wait.
    look_again: Duration,
    /// What was read and not yet taken by the HTTP library, from `taken` on.
    ahead: Vec<u8>,
    taken: usize,
    /// The client sends nothing more.
    ended: bool,
    /// The HTTP library waits for bytes.
    hungry: bool,
    /// Bytes of the answer's beginning that were sent early.
    early: usize,
    /// Whether the answer to the running request has begun.
    begun: bool,
    /// When the next byte of the beginning is due, and what says that the client has closed.
    probe: Option<(Instant, Failure)>,
}

/// A socket that is shared by the HTTP library, which reads requests and writes answers, and the connection, which
/// watches the client meanwhile. Both belong to one task.
#[derive(Clone)]
pub(super) struct Socket(Arc<Mutex<Link>>);

/// What became of a client whose request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// As far as is known, it waits for its answer. With the time at which to look again.
    Waits(Option<Instant>),
    /// Nobody can receive the answer.
    Left,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, state: Arc<ConnectionState>, look_again: Duration) -> Self {
        let (reader, writer) = stream.into_split();
        Self(Arc::new(Mutex::new(Link {
            reader,
            writer: Arc::new(writer),
            state,
            look_again,
            ahead: Vec::new(),
            taken: 0,
            ended: false,
            hungry: false,
            early: 0,
            begun: false,
            probe: None,
        })))
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The HTTP library is about to be polled, and says by reading whether it waits for bytes.
    pub(super) fn before_poll(&self) {
        self.link().hungry = false;
    }

    /// Whether there is something to read of which the HTTP library has not heard.
    pub(super) fn is_overlooked(&self) -> bool {
        let link = self.link();
        !link.hungry && (link.ended || link.taken < link.ahead.len())
    }

    /// A request begins: its answer does not.
    pub(super) fn request_begins(&self) {
        let mut link = self.link();
        link.begun = false;
        link.early = 0;
    }

    /// Looks after the client of a running request.
    pub(super) fn watch(&self, context: &mut Context<'_>) -> Client {
        self.link().watch(context)
    }

    /// Reads and throws away what the client still sends. Ready when it has ended, or after so many bytes.
    pub(super) fn poll_discard(&self, context: &mut Context<'_>, left: &mut usize) -> Poll<()> {
        let mut link = self.link();
        loop {
            let mut bytes = [MaybeUninit::uninit(); 4096];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            if link.ended || ready!(Pin::new(&mut link.reader).poll_read(context, &mut buffer)).is_err() {
                return Poll::Ready(());
            }
            let read = buffer.filled().len();
            if read == 0 || read > *left {
                return Poll::Ready(());
            }
            *left -= read;
        }
    }

    /// Makes the end of the connection a reset: what its client does not take is thrown away at once.
    pub(super) fn reset_at_end(&self) {
        // Without it, the system keeps what is unread for a while.
        let _ = self.link().writer.as_ref().as_ref().set_zero_linger();
    }
}

impl Link {
    fn watch(&mut self, context: &mut Context<'_>) -> Client {
        if self.hungry {
            return Client::Waits(None);
        }
        while !self.ended && self.ahead.len() - self.taken < AHEAD {
            let mut bytes = [MaybeUninit::uninit(); 512];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut self.reader).poll_read(context, &mut buffer) {
                Poll::Pending => return Client::Waits(None),
                Poll::Ready(Err(_)) => return Client::Left,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.ended = true,
                Poll::Ready(Ok(())) => self.ahead.extend_from_slice(buffer.filled()),
            }
        }
        self.probe(context)
    }

    /// Finds out whether a client that sends nothing more, or far too much, is still there.
    fn probe(&mut self, context: &mut Context<'_>) -> Client {
        let (due, failure) = self.probe.get_or_insert_with(|| {
            let writer = Arc::clone(&self.writer);
            let failed = async move {
                let _ = writer.ready(Interest::ERROR).await;
            };
            (Instant::now(), Box::pin(failed))
        });
        if failure.as_mut().poll(context).is_ready() {
            return Client::Left;
        }
        if !self.ended || self.begun || self.early == BEGINNING.len() {
            return Client::Waits(None);
        }
        if *due <= Instant::now() {
            match self.writer.try_write(&BEGINNING[self.early..=self.early]) {
                Ok(sent) => self.early += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Client::Left,
            }
            *due = Instant::now() + self.look_again;
        }
        Client::Waits(Some(*due))
    }

    /// Writes an answer without the bytes of it that were sent early.
    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let early = self.early;
        let mut first = [IoSlice::new(slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| slice))];
        let rest = if early == 0 {
            slices
        } else {
            // The library writes the head of an answer in one piece.
            if !first[0].starts_with(&BEGINNING[..early]) {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            IoSlice::advance_slices(&mut &mut first[..], early);
            &first[..]
        };
        loop {
            let tcp: &TcpStream = self.writer.as_ref().as_ref();
            match tcp.poll_write_ready(context) {
                Poll::Pending => {
                    self.state.wrote(false);
                    return Poll::Pending;
                }
                Poll::Ready(ready) => ready?,
            }
            match tcp.try_write_vectored(rest) {
                Ok(written) => {
                    self.state.wrote(true);
                    self.begun = rest.first().is_none_or(|slice| **slice != INTERIM[early..]);
                    self.early = 0;
                    return Poll::Ready(Ok(early + written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let link = &mut *self.link();
        let before = buffer.filled().len();
        if link.taken < link.ahead.len() {
            let bytes = &link.ahead[link.taken..];
            let taken = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..taken]);
            link.taken += taken;
            if link.taken == link.ahead.len() {
                (link.ahead, link.taken) = (Vec::new(), 0);
            }
        } else if !link.ended {
            match Pin::new(&mut link.reader).poll_read(context, buffer) {
                Poll::Pending => {
                    link.hungry = true;
                    return Poll::Pending;
                }
                Poll::Ready(read) => read?,
            }
            link.ended = buffer.filled().len() == before;
        }
        if buffer.filled().len() > before {
            link.state.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link().poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.link().poll_write(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link().state.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = self.link();
        let tcp: &TcpStream = link.writer.as_ref().as_ref();
        Poll::Ready(rustix::net::shutdown(tcp, rustix::net::Shutdown::Write).map_err(io::Error::from))
    }
}
