//! Job ids from the system's clock and randomness.

use uuid::Uuid;

use crate::{domain::JobId, ports::driven::JobIds};

/// Version 7 UUIDs; the uuid crate's shared counter keeps those of one process in order (RFC 9562 §6.2).
#[derive(Debug, Clone, Copy, Default)]
pub struct UuidJobIds;

impl JobIds for UuidJobIds {
    #[expect(clippy::disallowed_methods, clippy::expect_used, reason = "this is the source, and it makes version 7")]
    fn next(&self) -> JobId {
        JobId::try_from(Uuid::now_v7()).expect("now_v7 makes version 7 UUIDs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_are_larger() {
        let ids: Vec<JobId> = (0..10_000).map(|_| UuidJobIds.next()).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
