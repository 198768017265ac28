//! Follows a stream in its order, across everything that happens to the connection.

use std::time::Duration;

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::Stream,
};
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use super::{
    link::{Link, Stored, micros_of, unavailable},
    standing::Standing,
};
use crate::{
    adapters::queue::store::{between, whole},
    ports::driven::QueueError,
};

/// Records that are handed over together, at most.
const BATCH: usize = 512;
/// The server says so often that there is nothing new.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A stream that is quiet for so long is looked after.
const QUIET: Duration = Duration::from_secs(5);
/// How long a consumer outlives its process.
const INACTIVE: Duration = Duration::from_secs(30);
/// Pause after a failure, so that a server which is not ready is not stormed.
const AGAIN: Duration = Duration::from_millis(100);
/// Pause after a failure of this process to take what comes.
const TAKE_AGAIN: Duration = Duration::from_secs(1);
/// A record that comes so late although nothing was missed has a wrong age: the server's clock was set.
const SURPRISING: Duration = Duration::from_secs(2);

/// A record, and how long ago the server stored it.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) stored: Stored,
    pub(super) age: Duration,
}

/// What becomes of the records.
pub(super) trait Sink: Send {
    /// The sequence to begin after, for a stream that stands like this.
    fn begin(&mut self, standing: &Standing) -> impl Future<Output = Result<u64, QueueError>> + Send;

    /// These come next, and then so many more. Fails when the following must begin anew.
    fn take(&mut self, records: Vec<Arrived>, pending: u64) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Everything up to here was handed over.
    fn caught_up(&mut self, sequence: u64);

    /// What was handed over could not be taken.
    fn failed(&mut self, error: &QueueError);
}

/// Why following ended.
enum Ended {
    /// The server or the connection: it is tried again as soon as possible.
    There(QueueError),
    /// The sink.
    Here(QueueError),
}

/// A stream to follow.
pub(super) struct Followed<'a> {
    pub(super) link: &'a Link,
    pub(super) name: String,
    pub(super) stream: &'a Stream<()>,
}

/// Follows until it is aborted.
pub(super) async fn follow(followed: &Followed<'_>, sink: &mut impl Sink) {
    let mut state = followed.link.watch();
    // The uptime at which everything was known to have been handed over.
    let mut complete = None;
    loop {
        // The link is there as long as this runs.
        if state.wait_for(|state| state.now).await.is_err() {
            return;
        }
        let times = state.borrow_and_update().times;
        let again = async { drop(state.wait_for(|state| state.times != times).await) };
        let pause = tokio::select! {
            ended = once(followed, sink, &mut complete) => match ended {
                Ended::There(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "following a stream begins anew");
                    AGAIN
                }
                Ended::Here(error) => {
                    sink.failed(&error);
                    TAKE_AGAIN
                }
            },
            () = again => AGAIN,
        };
        sleep(pause).await;
    }
}

async fn once(followed: &Followed<'_>, sink: &mut impl Sink, complete: &mut Option<i64>) -> Ended {
    let begun = async {
        let failed = || unavailable("a stream cannot be followed");
        let standing = followed.link.stand(&followed.name).await.map_err(Ended::There)?;
        let after = sink.begin(&standing).await.map_err(Ended::Here)?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = followed.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| Ended::There(failed().with_source(error)))?;
        let nothing_new = consumer.cached_info().num_pending == 0;
        let messages = consumer.stream().max_messages_per_batch(BATCH).heartbeat(HEARTBEAT).messages().await;
        let messages = messages.map_err(|error| Ended::There(failed().with_source(error)))?;
        Ok((messages, after.max(standing.last), nothing_new))
    };
    let (messages, mut position, nothing_new) = match begun.await {
        Ok(begun) => begun,
        Err(ended) => return ended,
    };
    let time = &followed.link.time;
    if nothing_new {
        sink.caught_up(position);
        *complete = Some(time.uptime());
    }
    let mut batches = messages.ready_chunks(BATCH);
    let mut expected = 1;
    loop {
        let batch = match timeout(QUIET, batches.next()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ended::There(unavailable("a consumer is gone")),
            // Nothing for a while: either there is nothing, or the consumer has stalled.
            Err(_) => match followed.link.stand(&followed.name).await {
                Ok(standing) if standing.last <= position => {
                    *complete = complete.map(|_| time.uptime());
                    continue;
                }
                Ok(_) => return Ended::There(unavailable("a stream went on without being delivered")),
                Err(error) => return Ended::There(error),
            },
        };
        let (records, pending) = match read(batch, &mut expected) {
            Ok(read) => read,
            Err(error) => return Ended::There(error),
        };
        position = records.last().map_or(position, |record| record.sequence.max(position));
        let missed = complete.map(|complete| between(complete, time.uptime()));
        let looks_old = records.first().is_some_and(|record| time.age(record.at) > SURPRISING);
        if missed.is_some()
            && looks_old
            && let Err(error) = followed.link.stand(&followed.name).await
        {
            return Ended::There(error);
        }
        // What was not there when everything had been handed over cannot be older than that.
        let age = |at| time.age(at).min(missed.unwrap_or(Duration::MAX));
        let records = records.into_iter().map(|stored| Arrived { age: age(stored.at), stored }).collect();
        if let Err(error) = sink.take(records, pending).await {
            return Ended::Here(error);
        }
        if pending == 0 {
            sink.caught_up(position);
            *complete = Some(time.uptime());
        }
    }
}

/// The records of these messages, and how many more there are.
fn read(
    batch: Vec<Result<Message, async_nats::error::Error<pull::MessagesErrorKind>>>,
    expected: &mut u64,
) -> Result<(Vec<Stored>, u64), QueueError> {
    let failed = || unavailable("a stream cannot be followed");
    let (mut records, mut pending) = (Vec::with_capacity(batch.len()), 0);
    for message in batch {
        let message = message.map_err(|error| failed().with_source(error))?;
        let about = message.info().map_err(|error| failed().with_source(error))?;
        if about.consumer_sequence != *expected {
            return Err(unavailable("a record of a stream was lost on its way"));
        }
        *expected += 1;
        pending = about.pending;
        records.push(Stored {
            subject: message.subject.to_string(),
            sequence: about.stream_sequence,
            at: micros_of(about.published.unix_timestamp_nanos()),
            payload: message.payload.to_vec(),
        });
    }
    Ok((records, pending))
}

/// The moment at which a record was stored, when it is `now` in steady time.
pub(super) fn stored_at(now: i64, age: Duration) -> i64 {
    now.saturating_sub(whole(age))
}
