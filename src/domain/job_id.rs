//! Job identifiers.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A `UUIDv7` (RFC 9562 §5.7): ids sort by the time at which the job was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct JobId(Uuid);

/// The text or number is not a `UUIDv7`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a job id: expected a version 7 UUID")]
pub struct InvalidJobId;

impl JobId {
    /// The underlying UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The moment encoded in the id, to the millisecond: when the job was accepted.
    #[must_use]
    pub fn accepted_at(self) -> Timestamp {
        let (seconds, nanoseconds) = self.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let nanoseconds = i32::try_from(nanoseconds).unwrap_or(0);
        Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::MAX)
    }
}

impl TryFrom<Uuid> for JobId {
    type Error = InvalidJobId;

    fn try_from(uuid: Uuid) -> Result<Self, Self::Error> {
        if uuid.get_version() == Some(uuid::Version::SortRand) { Ok(Self(uuid)) } else { Err(InvalidJobId) }
    }
}

impl From<JobId> for Uuid {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    /// Accepts the hyphenated form only, so that one job has one URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 36 {
            return Err(InvalidJobId);
        }
        Uuid::try_parse(text).map_err(|_| InvalidJobId)?.try_into()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_tells_its_time() {
        let id: JobId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a version 7 UUID");
        assert_eq!(id.to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
        assert_eq!(id.accepted_at().as_millisecond(), 0x0189_0a5d_ac96);
    }

    #[test]
    fn other_uuids_and_other_spellings_are_refused() {
        for text in ["", "x", "a3bb189e-8bf9-4888-9912-ace4e6543002", "01890a5dac96774bbcceb302099a8057"] {
            assert_eq!(text.parse::<JobId>(), Err(InvalidJobId), "{text:?}");
        }
    }
}
