//! Jobs that have ended, for who removes them.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Deltas, as_id, word};
use crate::domain::{JobId, JobStatus, OperationKind};

/// A job that may be removed, once it has ended.
pub(in crate::adapters::queue) struct Ended {
    pub(in crate::adapters::queue) id: JobId,
    pub(in crate::adapters::queue) operation: OperationKind,
    pub(in crate::adapters::queue) status: JobStatus,
    bytes: i64,
}

impl Ended {
    /// The job with this id, whatever its status.
    pub(in crate::adapters::queue) fn find(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached("SELECT id, operation, status, bytes FROM job WHERE id = ?1")?
            .query_row([id.as_uuid().as_bytes()], Self::read)
            .optional()
    }

    /// The jobs that ended first, of those that ended until then, in steady time.
    pub(in crate::adapters::queue) fn first(
        connection: &Connection,
        until: i64,
        at_most: i64,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(
                "SELECT id, operation, status, bytes FROM job WHERE ended IS NOT NULL AND ended <= ?1 \
                 ORDER BY ended LIMIT ?2",
            )?
            .query_map((until, at_most), Self::read)?
            .collect()
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: as_id(row.get(0)?)?,
            operation: word(row, 1, |name| OperationKind::from_name(name).ok(), "an unknown operation")?,
            status: word(row, 2, JobStatus::from_word, "an unknown status")?,
            bytes: row.get(3)?,
        })
    }

    /// Removes its rows.
    pub(in crate::adapters::queue) fn remove(
        &self,
        connection: &Connection,
        deltas: &mut Deltas,
    ) -> rusqlite::Result<()> {
        let id = self.id.as_uuid();
        for sql in [
            "DELETE FROM event WHERE job_id = ?1",
            "DELETE FROM execution WHERE job_id = ?1",
            "DELETE FROM job WHERE id = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([id.as_bytes()])?;
        }
        deltas.jobs[self.operation.index()][self.status.index()] -= 1;
        deltas.bytes -= self.bytes;
        Ok(())
    }
}
