//! The connection: whether it is there, and the few ways in which records are written and read over it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{
    Client,
    jetstream::{
        self, Context, ErrorCode,
        context::{ContextBuilder, PublishErrorKind},
        message::{PublishMessage, StreamMessage},
        stream::{LastRawMessageErrorKind, PurgeError, PurgeResponse, Stream},
    },
};
use tokio::{sync::watch, time::timeout};

use super::{
    config::NatsServer,
    connect_error::ConnectError,
    connection::{hear, options, refusal},
    denials::{Denials, Denied},
    names::Names,
    server_time::ServerTime,
    streams::{Opening, Streams},
};
use crate::{
    domain::worker::{HEARTBEAT_EXPIRY, HEARTBEAT_INTERVAL},
    ports::driven::{Clock, MetricsPort, QueueError, QueueErrorKind},
};

/// How long an answer of the server may take: a caller hears within a second that there is none.
pub(super) const ANSWER: Duration = Duration::from_millis(700);
/// How long the server has at the start.
pub(super) const START: Duration = Duration::from_secs(5);
/// How long it has to make or change the streams: a cluster elects a leader for each.
pub(super) const MADE: Duration = Duration::from_secs(15);
/// How long workers have to come back with the server.
const RETURN: Duration = Duration::from_secs(2);
/// How long no jobs are taken after the server had no room.
const FULL: Duration = Duration::from_secs(3);
/// What the headers of a record take of the server's limit, at most.
const OVERHEAD: usize = 256;

/// A record as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) subject: String,
    pub(super) sequence: u64,
    /// When the server stored it, in microseconds since 1970 of its own clock.
    pub(super) at: i64,
    pub(super) payload: Vec<u8>,
}

impl Stored {
    /// A record that was asked for.
    fn of(message: StreamMessage) -> Self {
        let at = micros_of(message.time.unix_timestamp_nanos());
        Self { subject: message.subject.to_string(), sequence: message.sequence, at, payload: message.payload.into() }
    }
}

/// A time of the server's, in microseconds since 1970.
pub(super) fn micros_of(nanos: i128) -> i64 {
    i64::try_from(nanos / 1_000).unwrap_or_default()
}

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// The subject's last record is another one than expected.
    Conflict,
    /// It certainly is not stored.
    Failed(QueueError),
    /// It may be stored all the same.
    Uncertain(QueueError),
}

impl NotWritten {
    /// For a caller that cannot do anything about it.
    pub(super) fn into_error(self) -> QueueError {
        match self {
            Self::Conflict => unavailable("somebody else keeps changing the same record"),
            Self::Failed(error) => error,
            Self::Uncertain(error) => error.possibly_applied(),
        }
    }
}

/// The state of the connection: how often it was made, and whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connected {
    pub(super) times: u64,
    pub(super) now: bool,
    /// When it last changed.
    pub(super) since: Instant,
    /// How long it was gone before it came back last.
    pub(super) away: Duration,
}

/// The connection.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) names: Names,
    pub(super) streams: Streams,
    pub(super) time: ServerTime,
    pub(super) denials: Arc<Denials>,
    state: watch::Sender<Connected>,
    closing: Arc<AtomicBool>,
    /// Bytes of the largest message that the stream of jobs takes; -1 for no limit of its own.
    pub(super) largest_message: AtomicI64,
    /// How the streams are made, should one be gone.
    pub(super) replicas: usize,
    pub(super) key_age: Duration,
    /// When the server last had no room for a record.
    full_at: Mutex<Option<Instant>>,
}

impl Link {
    /// Connects and opens the streams: a process that serves makes them as configured, one that only works waits until
    /// they are there.
    pub(super) async fn open(
        server: &NatsServer,
        for_api: bool,
        key_age: Duration,
        clock: Arc<dyn Clock>,
        metrics: Arc<dyn MetricsPort>,
    ) -> Result<Self, ConnectError> {
        let names = Names::new(&server.prefix).ok_or_else(|| ConnectError::Prefix { prefix: server.prefix.clone() })?;
        let state = watch::Sender::new(Connected { times: 0, now: false, since: Instant::now(), away: Duration::ZERO });
        let (denials, closing) = (Arc::new(Denials::new()), Arc::new(AtomicBool::new(false)));
        let (told, heard, ending) = (state.clone(), Arc::clone(&denials), Arc::clone(&closing));
        let options = options(server).await?.custom_inbox_prefix(names.inbox(for_api)).event_callback(move |event| {
            hear(&event, &told, &heard, &*metrics, &ending);
            std::future::ready(())
        });
        let servers = server.urls.join(", ");
        let connecting = timeout(START, options.connect(&server.urls[..]));
        let client = match connecting.await {
            Ok(connected) => connected.map_err(|error| refusal(&error, servers, server.shows_who_asks()))?,
            Err(_) => return Err(ConnectError::Unreachable { servers, detail: "no answer".to_owned() }),
        };
        let info = client.server_info();
        if !client.is_server_compatible(2, 10, 0) {
            return Err(ConnectError::TooOld { found: info.version });
        }
        if !info.jetstream {
            return Err(ConnectError::NoJetStream { place: "on the NATS server" });
        }
        let context = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        let opening = Opening {
            patient: ContextBuilder::new().timeout(MADE).build(client.clone()),
            denials: &denials,
            names: &names,
            replicas: server.replicas,
            key_age,
        };
        let streams = if for_api { opening.make(&context).await? } else { opening.find(&context).await? };
        denials.log();
        state.send_if_modified(|state| {
            let changed = !state.now;
            *state = Connected { times: state.times.max(1), now: true, ..*state };
            changed
        });
        let (time, full_at, largest_message) = (ServerTime::new(clock), Mutex::default(), AtomicI64::new(-1));
        let replicas = server.replicas;
        let link = Self {
            client,
            context,
            names,
            streams,
            time,
            denials,
            state,
            closing,
            largest_message,
            replicas,
            key_age,
            full_at,
        };
        link.may_read().await?;
        // A server that does not answer now is asked again when it is followed.
        let _ = link.stand(&link.names.state_stream()).await;
        Ok(link)
    }

    /// Reads a record, as every process does sooner or later, so that one that may not is refused at the start.
    async fn may_read(&self) -> Result<(), ConnectError> {
        let (asked, ledger) = (format!("$JS.API.STREAM.MSG.GET.{}", self.names.state_stream()), self.names.ledger());
        let answer = timeout(ANSWER, self.streams.state.get_last_raw_message_by_subject(&ledger));
        match self.denials.or_denied(&asked, answer).await {
            Ok(_) => Ok(()),
            Err(denied) => Err(ConnectError::Permission { denied: denied.to_string() }),
        }
    }

    /// Follows the state of the connection.
    pub(super) fn watch(&self) -> watch::Receiver<Connected> {
        self.state.subscribe()
    }

    /// Whether the connection is there.
    pub(super) fn is_up(&self) -> bool {
        self.state.borrow().now
    }

    /// Since when the connection is there; none while it is not.
    pub(super) fn up_since(&self) -> Option<Instant> {
        let state = *self.state.borrow();
        state.now.then_some(state.since)
    }

    /// Whether the connection was given up for good.
    pub(super) fn is_closed(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Whether workers may have been forgotten while there was no connection, and had no time to come back since.
    pub(super) fn workers_return(&self) -> bool {
        let state = *self.state.borrow();
        state.away + HEARTBEAT_INTERVAL >= HEARTBEAT_EXPIRY && state.since.elapsed() < RETURN
    }

    /// Fails without a connection.
    pub(super) fn up(&self) -> Result<(), QueueError> {
        if self.is_up() { Ok(()) } else { Err(unavailable("the NATS server cannot be reached")) }
    }

    /// Writes a record, if the last one of its subject has this sequence; 0 stands for none.
    pub(super) async fn write(
        &self,
        subject: &str,
        payload: Vec<u8>,
        expected: Option<u64>,
    ) -> Result<u64, NotWritten> {
        // A record that is sent without a connection would be stored whenever there is one again.
        self.up().map_err(NotWritten::Failed)?;
        if payload.len() > self.largest_record() {
            return Err(NotWritten::Failed(self.too_large(payload.len())));
        }
        let size = payload.len();
        let mut message = PublishMessage::build().payload(payload.into());
        if let Some(sequence) = expected {
            message = message.expected_last_subject_sequence(sequence);
        }
        let sent = self.context.send_publish(subject.to_owned(), message);
        let answer = async {
            match sent.await {
                Ok(acknowledgement) => Ok(timeout(ANSWER, acknowledgement.into_future()).await),
                Err(error) => Err(error),
            }
        };
        let acknowledged = match self.denials.or_denied(subject, answer).await {
            Err(denied) => return Err(NotWritten::Failed(not_allowed(&denied))),
            Ok(Ok(acknowledged)) => acknowledged,
            Ok(Err(error)) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                return Err(NotWritten::Failed(self.too_large(size).with_source(error)));
            }
            Ok(Err(error)) => {
                return Err(NotWritten::Uncertain(unavailable("a record could not be sent").with_source(error)));
            }
        };
        match acknowledged {
            Ok(Ok(acknowledgement)) => Ok(acknowledgement.sequence),
            Ok(Err(error)) if is_too_large(&error) => Err(NotWritten::Failed(self.too_large(size).with_source(error))),
            Ok(Err(error)) => Err(self.not_written(error)),
            Err(_) => Err(NotWritten::Uncertain(unavailable("the NATS server does not answer"))),
        }
    }

    /// Bytes of the largest record that the server stores, as it says at each connection.
    pub(super) fn largest_record(&self) -> usize {
        let payload = self.client.server_info().max_payload;
        let stream = usize::try_from(self.largest_message.load(Ordering::Relaxed)).ok().filter(|most| *most > 0);
        payload.saturating_sub(OVERHEAD).min(stream.unwrap_or(usize::MAX))
    }

    fn too_large(&self, size: usize) -> QueueError {
        let most = self.largest_record();
        let message = format!("a record of {size} bytes is larger than the NATS server stores ({most} bytes)");
        QueueError::new(QueueErrorKind::TooLarge, message)
    }

    fn not_written(&self, error: jetstream::context::PublishError) -> NotWritten {
        let failed = not_written(error);
        if matches!(&failed, NotWritten::Failed(error) if error.kind() == QueueErrorKind::StorageFull) {
            *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        failed
    }

    /// Fails while the server has just had no room for a record.
    pub(super) fn has_room(&self) -> Result<(), QueueError> {
        let full_at = *self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        match full_at.filter(|full_at| full_at.elapsed() < FULL) {
            Some(_) => Err(no_room()),
            None => Ok(()),
        }
    }

    /// The last record of a subject, as the stream's leader knows it.
    pub(super) async fn last(&self, stream: &Stream<()>, subject: &str) -> Result<Option<Stored>, QueueError> {
        self.up()?;
        let asked = format!("$JS.API.STREAM.MSG.GET.{}", self.names.stream_of(subject));
        let answer = timeout(ANSWER, stream.get_last_raw_message_by_subject(subject));
        match self.denials.or_denied(&asked, answer).await.map_err(|denied| not_allowed(&denied))? {
            Ok(Ok(message)) => Ok(Some(Stored::of(message))),
            Ok(Err(error)) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                _ => Err(unavailable("the NATS server cannot be read").with_source(error)),
            },
            Err(_) => Err(unavailable("the NATS server does not answer")),
        }
    }

    /// The last record of a subject of the state stream.
    pub(super) async fn state(&self, subject: &str) -> Result<Option<Stored>, QueueError> {
        self.last(&self.streams.state, subject).await
    }

    /// The record of a subject of the state stream that never changes once it is there, from whichever server has it.
    /// One that is not there yet is asked for at the leader.
    pub(super) async fn lasting(&self, subject: &str) -> Result<Option<Stored>, QueueError> {
        self.up()?;
        let asked = format!("$JS.API.DIRECT.GET.{}.{subject}", self.names.state_stream());
        let answer = timeout(ANSWER, self.streams.state.direct_get_last_for_subject(subject));
        if let Ok(Ok(Ok(message))) = self.denials.or_denied(&asked, answer).await {
            return Ok(Some(Stored::of(message)));
        }
        self.state(subject).await
    }

    /// Sends something that may be lost.
    pub(super) async fn hint(&self, subject: String, payload: Vec<u8>) {
        if self.is_up()
            && let Err(error) = self.client.publish(subject, payload.into()).await
        {
            tracing::debug!(%error, "a hint was not sent");
        }
    }

    /// Removes everything that a subject filter matches.
    pub(super) async fn purge(&self, filter: String) -> Result<(), QueueError> {
        self.purged(self.streams.state.purge().filter(filter).into_future()).await
    }

    /// Removes what a subject filter matches and was stored before this sequence.
    pub(super) async fn purge_before(&self, filter: String, sequence: u64) -> Result<(), QueueError> {
        self.purged(self.streams.state.purge().sequence(sequence).filter(filter).into_future()).await
    }

    async fn purged(&self, purge: impl Future<Output = Result<PurgeResponse, PurgeError>>) -> Result<(), QueueError> {
        self.up()?;
        let asked = format!("$JS.API.STREAM.PURGE.{}", self.names.state_stream());
        let answer = timeout(ANSWER, purge);
        match self.denials.or_denied(&asked, answer).await.map_err(|denied| not_allowed(&denied))? {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unavailable("records cannot be removed").with_source(error)),
            Err(_) => Err(unavailable("the NATS server does not answer")),
        }
    }

    /// Sends what waits to be sent and closes the connection.
    pub(super) async fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.state.send_modify(|state| state.now = false);
        let _ = timeout(ANSWER, self.client.drain()).await;
    }
}

/// An error of this kind and these words.
pub(super) fn unavailable(message: &str) -> QueueError {
    QueueError::new(QueueErrorKind::Unavailable, message)
}

/// Something is not done, because the user may not.
pub(super) fn not_allowed(denied: &Denied) -> QueueError {
    QueueError::new(QueueErrorKind::Unavailable, denied.to_string())
}

fn not_written(error: jetstream::context::PublishError) -> NotWritten {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => NotWritten::Conflict,
        // Nobody listens: JetStream is not there yet after a restart.
        PublishErrorKind::StreamNotFound => {
            NotWritten::Failed(unavailable("the NATS server stores nothing now").with_source(error))
        }
        PublishErrorKind::Other => {
            let code = std::error::Error::source(&error)
                .and_then(|source| source.downcast_ref::<jetstream::Error>())
                .map(jetstream::Error::error_code);
            match code {
                Some(code) if is_full(code) => NotWritten::Failed(no_room().with_source(error)),
                Some(_) => NotWritten::Failed(unavailable("the NATS server refuses a record").with_source(error)),
                None => NotWritten::Uncertain(unavailable("the NATS server's answer is unreadable").with_source(error)),
            }
        }
        _ => NotWritten::Uncertain(unavailable("the NATS server does not answer").with_source(error)),
    }
}

fn is_too_large(error: &jetstream::context::PublishError) -> bool {
    let source = std::error::Error::source(error);
    let code = source.and_then(|source| source.downcast_ref::<jetstream::Error>()).map(jetstream::Error::error_code);
    code == Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

fn no_room() -> QueueError {
    QueueError::new(QueueErrorKind::StorageFull, "no space is left for the NATS stream")
}

fn is_full(code: ErrorCode) -> bool {
    [ErrorCode::INSUFFICIENT_RESOURCES, ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::STREAM_STORE_FAILED]
        .contains(&code)
}
