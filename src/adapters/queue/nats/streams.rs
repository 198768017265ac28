//! The four streams: what each keeps and how long.

use std::time::Duration;

use async_nats::jetstream::{
    Context, ErrorCode,
    context::{CreateStreamError, CreateStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};

use super::{connect_error::ConnectError, names::Names};
use crate::domain::worker::HEARTBEAT_EXPIRY;

/// Hints outlive the longest deadline, which is a day.
const HINT_AGE: Duration = Duration::from_hours(25);
/// Hints that may wait. Beyond it they are refused, and come again when there is room.
const HINTS: i64 = 2_000_000;

/// The streams of an installation.
pub(super) struct Streams {
    /// Jobs and executions: one record per subject, changed by compare-and-set alone.
    pub(super) state: Stream<()>,
    /// Hints that executions wait: taken by one worker each.
    pub(super) work: Stream<()>,
    /// Signs of life of workers and processes. Gone by themselves when there is no other.
    pub(super) workers: Stream<()>,
    /// What idempotency keys made.
    pub(super) keys: Stream<()>,
}

impl Streams {
    /// Makes what is not there, and hands out what is.
    pub(super) async fn open(
        patient: &Context,
        context: &Context,
        names: &Names,
        replicas: usize,
        key_age: Duration,
    ) -> Result<Self, ConnectError> {
        let latest = |name: String, kind: &str| Config {
            name,
            subjects: vec![names.all_of(kind)],
            max_messages_per_subject: 1,
            max_bytes: -1,
            max_messages: -1,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: replicas,
            allow_direct: true,
            ..Config::default()
        };
        let state = latest(names.state_stream(), "state");
        let work = Config {
            max_messages_per_subject: -1,
            max_messages: HINTS,
            max_age: HINT_AGE,
            retention: RetentionPolicy::WorkQueue,
            ..latest(names.work_stream(), "work")
        };
        let workers = Config { max_age: HEARTBEAT_EXPIRY, ..latest(names.workers_stream(), "workers") };
        let keys = Config { max_age: key_age, ..latest(names.keys_stream(), "keys") };
        for config in [&state, &work, &workers, &keys] {
            let made = patient.get_or_create_stream(config.clone()).await;
            made.map_err(|error| refusal(&config.name, &error))?;
        }
        let open = async |name: String| {
            let refused = |error: &dyn std::error::Error| ConnectError::Stream {
                stream: name.clone(),
                detail: error.to_string(),
            };
            context.get_stream_no_info(&name).await.map_err(|error| refused(&error))
        };
        Ok(Self {
            state: open(state.name).await?,
            work: open(work.name).await?,
            workers: open(workers.name).await?,
            keys: open(keys.name).await?,
        })
    }
}

fn refusal(stream: &str, error: &CreateStreamError) -> ConnectError {
    match error.kind() {
        CreateStreamErrorKind::JetStream(error)
            if [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT]
                .contains(&error.error_code()) =>
        {
            ConnectError::NoJetStream { place: "for this NATS account" }
        }
        CreateStreamErrorKind::JetStreamUnavailable => ConnectError::NoJetStream { place: "on the NATS server" },
        kind => ConnectError::Stream { stream: stream.to_owned(), detail: kind.to_string() },
    }
}
