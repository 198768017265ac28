//! Follows a stream in its order, across everything that happens to the connection.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::Stream,
};
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use super::link::{Link, Stored, unavailable};
use crate::ports::driven::QueueError;

/// Records that are handed over together, at most.
const BATCH: usize = 512;
/// The server says so often that there is nothing new.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A stream that is quiet for so long is looked after.
const QUIET: Duration = Duration::from_secs(10);
/// How long a consumer outlives its process.
const INACTIVE: Duration = Duration::from_secs(30);
/// Pause after a failure, so that a server which is not ready is not stormed.
const AGAIN: Duration = Duration::from_millis(100);

/// What becomes of the records.
pub(super) trait Sink: Send {
    /// The sequence to begin after, for a stream with this identity whose last sequence is `last`.
    fn begin(&mut self, identity: &str, last: u64) -> impl Future<Output = Result<u64, QueueError>> + Send;

    /// These come next. Fails when the following must begin anew.
    fn take(&mut self, records: Vec<Stored>) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Everything up to here was handed over.
    fn caught_up(&mut self, sequence: u64);
}

/// Follows until it is aborted.
pub(super) async fn follow(link: &Link, stream: &Stream<()>, mut sink: impl Sink) {
    let mut state = link.watch();
    loop {
        // The link is there as long as this runs.
        if state.wait_for(|state| state.now).await.is_err() {
            return;
        }
        let times = state.borrow_and_update().times;
        let again = async { drop(state.wait_for(|state| state.times != times).await) };
        tokio::select! {
            followed = once(stream, &mut sink) => {
                if let Err(error) = followed {
                    tracing::debug!(error = &error as &dyn std::error::Error, "following a stream begins anew");
                }
            }
            () = again => {}
        }
        sleep(AGAIN).await;
    }
}

async fn once(stream: &Stream<()>, sink: &mut impl Sink) -> Result<(), QueueError> {
    let failed = || unavailable("a stream cannot be followed");
    let info = stream.get_info().await.map_err(|error| failed().with_source(error))?;
    let last = info.state.last_sequence;
    let after = sink.begin(&info.created.unix_timestamp_nanos().to_string(), last).await?;
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
        ack_policy: AckPolicy::None,
        inactive_threshold: INACTIVE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|error| failed().with_source(error))?;
    if consumer.cached_info().num_pending == 0 {
        sink.caught_up(after.max(last));
    }
    let messages = consumer.stream().max_messages_per_batch(BATCH).heartbeat(HEARTBEAT).messages().await;
    let messages = messages.map_err(|error| failed().with_source(error))?;
    let mut batches = messages.ready_chunks(BATCH);
    let (mut expected, mut position) = (1, after.max(last));
    loop {
        let batch = match timeout(QUIET, batches.next()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Err(unavailable("a consumer is gone")),
            // Nothing for a while: either there is nothing, or the consumer has stalled.
            Err(_) => {
                let info = stream.get_info().await.map_err(|error| failed().with_source(error))?;
                if info.state.last_sequence > position {
                    return Err(unavailable("a stream went on without being delivered"));
                }
                continue;
            }
        };
        let (mut records, mut reached) = (Vec::with_capacity(batch.len()), None);
        for message in batch {
            let message = message.map_err(|error| failed().with_source(error))?;
            let about = message.info().map_err(|error| failed().with_source(error))?;
            if about.consumer_sequence != expected {
                return Err(unavailable("a record of a stream was lost on its way"));
            }
            expected += 1;
            reached = (about.pending == 0).then_some(about.stream_sequence);
            let sequence = about.stream_sequence;
            records.push(Stored { subject: message.subject.to_string(), sequence, payload: message.payload.to_vec() });
        }
        position = records.last().map_or(position, |record| record.sequence.max(position));
        sink.take(records).await?;
        if let Some(sequence) = reached {
            sink.caught_up(sequence);
        }
    }
}
