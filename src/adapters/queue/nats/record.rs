//! What the streams hold, as JSON. Every record is whole in itself: the last one of a subject is all there is to know.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    adapters::queue::store::{between, whole},
    domain::{
        Effect, ErrorKind, ExecutionStatus, Hostname, Idempotency, JobId, JobStatus, Labels, NewJob, Operation,
        OperationKind, ResultDocument, Slot, Target, Worker, WorkerState,
    },
};

/// Who wrote a record: a process, and which of its writes. Tells a writer whose answer was lost that it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) session: Uuid,
    pub(super) write: u64,
}

/// What the subject of a job holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobEntry {
    /// The job, immutable. Its presence is the acceptance.
    Job(Box<JobRecord>),
    /// It was removed.
    Removed(Removed),
}

/// An accepted job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct JobRecord {
    pub(super) id: JobId,
    #[serde(serialize_with = "operation_out", deserialize_with = "operation_in")]
    pub(super) operation: OperationKind,
    pub(super) data: Option<Box<RawValue>>,
    #[serde(serialize_with = "effect_out", deserialize_with = "effect_in")]
    pub(super) effect: Effect,
    pub(super) target: Target,
    pub(super) slots: Vec<String>,
    /// Microseconds.
    pub(super) timeout: u64,
    pub(super) max_attempts: u32,
    /// Microseconds since 1970, as all times.
    pub(super) created_at: i64,
    pub(super) deadline_at: i64,
    pub(super) created_by: String,
    pub(super) retried_from: Option<JobId>,
    /// Digest of the idempotency key that made it.
    pub(super) key: Option<String>,
    pub(super) mark: Mark,
}

/// A job that is no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Removed {
    /// How it ended; none for one that never was.
    pub(super) status: Option<JobStatus>,
    pub(super) at: i64,
    pub(super) key: Option<String>,
}

/// Where an execution stands. Without a record it waits for its first claim.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ExecutionRecord {
    pub(super) status: ExecutionStatus,
    pub(super) attempt: u32,
    /// The host that it is meant for, or that runs or ran it.
    pub(super) worker: Option<Hostname>,
    /// The process that runs it.
    pub(super) session: Option<Uuid>,
    /// The sequence of the record that claimed it; none in that record itself.
    pub(super) token: Option<u64>,
    /// Microseconds for which that process may be silent.
    pub(super) lease: Option<u64>,
    pub(super) cancel_requested: bool,
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
    /// How long the latest attempt took, in microseconds.
    #[serde(default)]
    pub(super) ran: Option<u64>,
    pub(super) result: Option<ResultDocument>,
    pub(super) error: Option<ErrorKind>,
    pub(super) message: Option<String>,
    /// Earlier attempts.
    pub(super) history: Vec<Past>,
    pub(super) mark: Mark,
}

/// Something that happened to an earlier attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) at: i64,
    pub(super) event: String,
    pub(super) worker: Option<Hostname>,
    pub(super) message: Option<String>,
}

/// The end of a job of several executions. Whoever wrote it counted it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DoneRecord {
    pub(super) status: JobStatus,
    pub(super) at: i64,
    pub(super) mark: Mark,
}

/// Somebody asked to cancel a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CancelRecord {
    pub(super) at: i64,
}

/// Whether a host drains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DrainingRecord {
    pub(super) draining: bool,
}

/// What all jobs add to the ledger whose removal has a sequence up to `through`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LedgerRecord {
    pub(super) through: u64,
    pub(super) created: i64,
    /// By [`JobStatus::index`].
    pub(super) completed: Vec<i64>,
    /// Jobs that it has just taken in, whose last records are being purged.
    #[serde(default)]
    pub(super) purging: Vec<JobId>,
}

/// What a key made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    pub(super) subject: String,
    pub(super) key: String,
    pub(super) fingerprint: Uuid,
    pub(super) job_id: JobId,
    /// The job is known to have been accepted, and was removed since.
    pub(super) removed: bool,
}

/// A hint that an execution waits. May be lost or doubled without harm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hint {
    pub(super) job_id: JobId,
    pub(super) slot: String,
    /// Sequence of the execution's record; 0 when there is none.
    pub(super) sequence: u64,
    /// Microseconds until the deadline, when the hint was sent. The server says how long ago that was.
    #[serde(default)]
    pub(super) time_left: Option<u64>,
}

/// A worker's sign of life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WorkerRecord {
    pub(super) hostname: Hostname,
    pub(super) instance: Uuid,
    pub(super) session: Uuid,
    /// It said goodbye.
    pub(super) left: bool,
    pub(super) labels: Vec<(String, String)>,
    pub(super) slots: u32,
    pub(super) version: String,
    pub(super) commands_enabled: bool,
    pub(super) started_at: i64,
    /// The time of day on its host when this was sent.
    #[serde(default)]
    pub(super) time_of_day: Option<i64>,
}

/// What a process that serves the API tells another one at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Control {
    /// A cancellation was asked for.
    Cancel(u64),
    /// The claim is void.
    Fence(u64),
    /// Whether this host drains has changed: answered with `true` when the process knows it.
    Draining(Hostname),
}

/// Whether an instance of a worker lives in the process that is asked: answered with `true` or `false`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Alive(pub(super) Uuid);

/// A record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    // Nothing in a record can fail to become JSON: no maps with other keys than texts, no writers that fail.
    serde_json::to_vec(record).unwrap_or_default()
}

/// Bytes as a record; none when they are not one.
pub(super) fn decode<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

/// Microseconds as a time.
pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

impl JobRecord {
    /// The record of a new job.
    pub(super) fn of(
        job: &NewJob,
        created_at: i64,
        effect: Effect,
        idempotency: Option<String>,
        mark: Mark,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: job.id,
            operation: job.operation.kind(),
            data: job.operation.data()?,
            effect,
            target: job.target.clone(),
            slots: job.slots.iter().map(ToString::to_string).collect(),
            timeout: u64::try_from(job.timeout.as_micros()).unwrap_or(u64::MAX),
            max_attempts: job.max_attempts,
            created_at,
            deadline_at: created_at.saturating_add(whole(job.deadline)),
            created_by: job.created_by.clone(),
            retried_from: job.retried_from,
            key: idempotency,
            mark,
        })
    }

    /// Its operation with its input; none when this version does not take it.
    pub(super) fn operation(&self) -> Option<Operation> {
        let data = self.data.as_deref().map_or("{}", RawValue::get);
        Operation::deserialize(self.operation, &mut serde_json::Deserializer::from_str(data)).ok()
    }

    /// The job as it was accepted; none when this version does not understand it.
    pub(super) fn new_job(&self) -> Option<NewJob> {
        let slot = |name: &String| match name.as_str() {
            super::names::ANY => Some(Slot::Any),
            name => name.parse().ok().map(Slot::Host),
        };
        Some(NewJob {
            id: self.id,
            operation: self.operation()?,
            target: self.target.clone(),
            slots: self.slots.iter().map(slot).collect::<Option<_>>()?,
            timeout: Duration::from_micros(self.timeout),
            max_attempts: self.max_attempts,
            deadline: self.deadline(),
            created_by: self.created_by.clone(),
            retried_from: self.retried_from,
        })
    }

    /// The time from its acceptance to its deadline.
    pub(super) fn deadline(&self) -> Duration {
        between(self.created_at, self.deadline_at)
    }

    pub(super) fn needs_commands(&self) -> bool {
        self.operation.needs_commands()
    }
}

impl KeyRecord {
    pub(super) fn of(idempotency: &Idempotency, job_id: JobId) -> Self {
        Self {
            subject: idempotency.subject.clone(),
            key: idempotency.key.as_str().to_owned(),
            fingerprint: idempotency.fingerprint.as_uuid(),
            job_id,
            removed: false,
        }
    }
}

impl WorkerRecord {
    pub(super) fn of(worker: &Worker, session: Uuid, time_of_day: i64) -> Self {
        Self {
            hostname: worker.hostname.clone(),
            instance: worker.instance.0,
            session,
            left: false,
            labels: worker.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            slots: worker.slots,
            version: worker.version.clone(),
            commands_enabled: worker.commands_enabled,
            started_at: worker.started_at.as_microsecond(),
            time_of_day: Some(time_of_day),
        }
    }

    /// The worker, last heard of at this time, whose host's clock is ahead by so much.
    pub(super) fn worker(&self, heard_at: Timestamp, clock_offset: SignedDuration) -> Worker {
        let labels = self.labels.iter().cloned().collect::<std::collections::BTreeMap<_, _>>();
        Worker {
            hostname: self.hostname.clone(),
            instance: crate::domain::InstanceId(self.instance),
            labels: Labels::try_from(labels).unwrap_or_default(),
            state: WorkerState::Ready,
            slots: self.slots,
            slots_used: 0,
            version: self.version.clone(),
            commands_enabled: self.commands_enabled,
            started_at: time(self.started_at),
            last_heartbeat_at: heard_at,
            clock_offset,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn operation_out<S: Serializer>(kind: &OperationKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn operation_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OperationKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    OperationKind::from_name(&name).map_err(|_| D::Error::custom("unknown operation"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn effect_out<S: Serializer>(effect: &Effect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(effect.as_str())
}

fn effect_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
    let word = String::deserialize(deserializer)?;
    Effect::from_word(&word).ok_or_else(|| D::Error::custom("unknown effect"))
}
