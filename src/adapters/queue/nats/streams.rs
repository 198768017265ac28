//! The four streams: what each keeps and how long, who makes them, and who waits until they are there.

use std::time::Duration;

use async_nats::jetstream::{
    self, Context, ErrorCode,
    context::{
        CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, RequestError, RequestErrorKind,
    },
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};
use tokio::time::{Instant, sleep};

use super::{
    connect_error::ConnectError,
    denials::{Denials, Denied},
    names::Names,
};
use crate::domain::worker::HEARTBEAT_EXPIRY;

/// Hints outlive the longest deadline, which is a day.
const HINT_AGE: Duration = Duration::from_hours(25);
/// Hints that may wait. Beyond it they are refused, and come again when there is room.
const HINTS: i64 = 2_000_000;
/// Pause before the server is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a cluster may take to be ready, for a process that makes streams.
const PATIENCE: Duration = Duration::from_secs(5);

/// The streams of an installation.
pub(super) struct Streams {
    /// Jobs and executions: one record per subject, changed by compare-and-set alone.
    pub(super) state: Stream<()>,
    /// Hints that executions wait: taken by one worker each.
    pub(super) work: Stream<()>,
    /// Signs of life of workers and processes. Gone by themselves when there is no other.
    pub(super) workers: Stream<()>,
    /// What idempotency keys made. Only processes that serve the API read and write it.
    pub(super) keys: Stream<()>,
}

/// Opens the streams.
pub(super) struct Opening<'a> {
    /// Waits longer for an answer than calls do.
    pub(super) patient: Context,
    pub(super) denials: &'a Denials,
    pub(super) names: &'a Names,
    pub(super) replicas: usize,
    pub(super) key_age: Duration,
}

/// Why a stream is not open.
enum Closed {
    /// There is none.
    Missing,
    /// It may be there soon: a server or a leader does not answer.
    Silent(String),
    /// The user may not ask.
    Denied(Denied),
    /// Somebody made it at the same time, otherwise.
    Taken,
    /// It cannot be used.
    Unusable(ConnectError),
}

impl Opening<'_> {
    /// Makes what is not there, and brings what is there to the configured copies and ages.
    pub(super) async fn make(&self, context: &Context) -> Result<Streams, ConnectError> {
        let until = Instant::now() + PATIENCE;
        for config in self.configs() {
            while let Err(closed) = self.make_one(&config).await {
                let soon = matches!(closed, Closed::Silent(_) | Closed::Taken) && Instant::now() < until;
                if !soon {
                    return Err(closed.into_error(&config.name));
                }
                sleep(AGAIN).await;
            }
        }
        self.streams(context).await
    }

    /// Finds what a worker needs. What is not there is made, if the user may; else this waits for somebody who may.
    pub(super) async fn find(&self, context: &Context) -> Result<Streams, ConnectError> {
        let [state, work, workers, _] = self.configs();
        let mut said = false;
        for config in [state, work, workers] {
            let mut may_make = true;
            loop {
                let closed = match self.look(&config.name).await {
                    Ok(_) => break,
                    Err(Closed::Missing) if may_make => match self.create(&config).await {
                        Ok(()) => break,
                        Err(closed @ Closed::Denied(_)) => {
                            may_make = false;
                            tracing::debug!(stream = config.name, "this user may not make streams");
                            closed
                        }
                        Err(closed) => closed,
                    },
                    Err(closed @ Closed::Denied(_)) => return Err(closed.into_error(&config.name)),
                    Err(closed) => closed,
                };
                match closed {
                    Closed::Unusable(error) => return Err(error),
                    Closed::Taken => continue,
                    Closed::Missing | Closed::Silent(_) | Closed::Denied(_) if !said => {
                        said = true;
                        let stream = &config.name;
                        tracing::warn!(
                            stream,
                            "waiting for an API process to make the streams, and for them to answer"
                        );
                    }
                    _ => {}
                }
                sleep(AGAIN).await;
            }
        }
        if said {
            tracing::info!("the streams are there");
        }
        self.streams(context).await
    }

    async fn streams(&self, context: &Context) -> Result<Streams, ConnectError> {
        let open = async |name: String| {
            let opened = context.get_stream_no_info(&name).await;
            opened.map_err(|error| ConnectError::Stream { stream: name, detail: error.to_string() })
        };
        Ok(Streams {
            state: open(self.names.state_stream()).await?,
            work: open(self.names.work_stream()).await?,
            workers: open(self.names.workers_stream()).await?,
            keys: open(self.names.keys_stream()).await?,
        })
    }

    fn configs(&self) -> [Config; 4] {
        let latest = |name: String, kind: &str| Config {
            name,
            subjects: vec![self.names.all_of(kind)],
            max_messages_per_subject: 1,
            max_bytes: -1,
            max_messages: -1,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: self.replicas,
            allow_direct: true,
            ..Config::default()
        };
        let work = Config {
            max_messages_per_subject: -1,
            max_messages: HINTS,
            max_age: HINT_AGE,
            retention: RetentionPolicy::WorkQueue,
            ..latest(self.names.work_stream(), "work")
        };
        let workers = Config { max_age: HEARTBEAT_EXPIRY, ..latest(self.names.workers_stream(), "workers") };
        let keys = Config { max_age: self.key_age, ..latest(self.names.keys_stream(), "keys") };
        [latest(self.names.state_stream(), "state"), work, workers, keys]
    }

    async fn make_one(&self, config: &Config) -> Result<(), Closed> {
        match self.look(&config.name).await {
            Ok(found) => self.bring(config, found).await,
            Err(Closed::Missing) => self.create(config).await,
            Err(closed) => Err(closed),
        }
    }

    async fn look(&self, name: &str) -> Result<Config, Closed> {
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        match self.denials.or_denied(&subject, self.patient.get_stream(name)).await {
            Ok(Ok(stream)) => Ok(stream.cached_info().config.clone()),
            Ok(Err(error)) => Err(not_found(name, &error)),
            Err(denied) => Err(Closed::Denied(denied)),
        }
    }

    async fn create(&self, config: &Config) -> Result<(), Closed> {
        let subject = format!("$JS.API.STREAM.CREATE.{}", config.name);
        match self.denials.or_denied(&subject, self.patient.create_stream(config)).await {
            Ok(Ok(_)) => {
                // Where there should have been one, somebody wants to know that this one is empty.
                tracing::info!(stream = config.name, "a stream was made");
                Ok(())
            }
            Ok(Err(error)) => Err(not_made(config, &error)),
            Err(denied) => Err(Closed::Denied(denied)),
        }
    }

    /// Brings a stream to what is configured, and leaves alone what an operator may have set besides.
    async fn bring(&self, config: &Config, found: Config) -> Result<(), Closed> {
        let wanted = Config { num_replicas: config.num_replicas, max_age: config.max_age, ..found.clone() };
        if wanted == found {
            return Ok(());
        }
        let subject = format!("$JS.API.STREAM.UPDATE.{}", config.name);
        match self.denials.or_denied(&subject, self.patient.update_stream(&wanted)).await {
            Ok(Ok(_)) => {
                let (stream, replicas) = (&config.name, config.num_replicas);
                tracing::info!(stream, replicas, max_age = ?config.max_age, "a stream was changed as configured");
                Ok(())
            }
            Ok(Err(error)) => Err(not_made(config, &error)),
            Err(denied) => Err(Closed::Denied(denied)),
        }
    }
}

impl Closed {
    fn into_error(self, stream: &str) -> ConnectError {
        let refused = |detail: String| ConnectError::Stream { stream: stream.to_owned(), detail };
        match self {
            Self::Missing => refused("there is no such stream".to_owned()),
            Self::Silent(detail) => refused(detail),
            Self::Taken => refused("somebody else keeps making it".to_owned()),
            Self::Denied(denied) => ConnectError::Permission { denied: denied.to_string() },
            Self::Unusable(error) => error,
        }
    }
}

fn not_found(stream: &str, error: &GetStreamError) -> Closed {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => refused(stream, &error),
        kind => {
            let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<RequestError>());
            match source.map(RequestError::kind) {
                Some(RequestErrorKind::NoResponders | RequestErrorKind::TimedOut) => {
                    Closed::Silent("JetStream does not answer".to_owned())
                }
                _ => Closed::Unusable(ConnectError::Stream { stream: stream.to_owned(), detail: kind.to_string() }),
            }
        }
    }
}

fn not_made(config: &Config, error: &CreateStreamError) -> Closed {
    let (stream, copies) = (config.name.as_str(), config.num_replicas);
    match error.kind() {
        CreateStreamErrorKind::JetStream(error)
            if [ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED, ErrorCode::CLUSTER_NO_PEERS]
                .contains(&error.error_code()) =>
        {
            let (stream, detail) = (stream.to_owned(), error.to_string());
            Closed::Unusable(ConnectError::Copies { stream, copies, detail })
        }
        CreateStreamErrorKind::JetStream(error) => refused(stream, &error),
        CreateStreamErrorKind::JetStreamUnavailable | CreateStreamErrorKind::TimedOut => {
            Closed::Silent("JetStream does not answer".to_owned())
        }
        kind => Closed::Unusable(ConnectError::Stream { stream: stream.to_owned(), detail: kind.to_string() }),
    }
}

/// What JetStream says.
fn refused(stream: &str, error: &jetstream::Error) -> Closed {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => Closed::Missing,
        ErrorCode::STREAM_NAME_EXIST => Closed::Taken,
        ErrorCode::CLUSTER_NOT_AVAILABLE | ErrorCode::CLUSTER_NOT_LEADER => Closed::Silent(error.to_string()),
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            Closed::Unusable(ConnectError::NoJetStream { place: "for this NATS account" })
        }
        _ => Closed::Unusable(ConnectError::Stream { stream: stream.to_owned(), detail: error.to_string() }),
    }
}
