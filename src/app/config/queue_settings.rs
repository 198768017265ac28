//! `job.queue`: where jobs wait and how safe they are there.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{NatsSettings, scalar};
use crate::ports::driven::Durability;

/// The queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Which adapter keeps the jobs.
    #[serde(deserialize_with = "backend")]
    pub backend: QueueBackend,
    /// What survives.
    #[serde(deserialize_with = "durability", serialize_with = "show_durability")]
    pub durability: Durability,
    /// Executions that may wait.
    #[serde(deserialize_with = "scalar::whole::<_, _, 1, 10_000_000>")]
    pub max_depth: u64,
    /// Where they are with the backend `nats`.
    pub nats: NatsSettings,
}

/// The queues that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueBackend {
    /// A store of its own in the data directory.
    Embedded,
    /// NATS JetStream, for a fleet.
    Nats,
}

fn backend<'de, D: Deserializer<'de>>(deserializer: D) -> Result<QueueBackend, D::Error> {
    scalar::word(deserializer, &[("embedded", QueueBackend::Embedded), ("nats", QueueBackend::Nats)])
}

fn durability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Durability, D::Error> {
    let words = [Durability::PowerLoss, Durability::ProcessCrash].map(|level| (level.as_str(), level));
    scalar::word(deserializer, &words)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serialize_with asks for")]
fn show_durability<S: Serializer>(durability: &Durability, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(durability.as_str())
}
