//! Executions about which something has to be decided. Each search costs what it finds, not what there is.

use std::time::Duration;

use rusqlite::{Connection, Params};

use crate::{adapters::queue::store::as_id, domain::JobId};

/// An execution about which something has to be decided.
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) job_id: JobId,
    pub(super) slot: String,
    pub(super) token: Option<u64>,
    pub(super) sequence: u64,
    pub(super) session: Option<uuid::Uuid>,
    pub(super) needs_commands: bool,
    /// How long the process that runs it may be silent.
    pub(super) lease: Option<Duration>,
    /// When it stops waiting, in steady time.
    pub(super) expires: i64,
    /// When its job was accepted, in steady time.
    pub(super) accepted: i64,
    /// When it was claimed, in steady time.
    pub(super) claimed: Option<i64>,
    /// The host that it is meant for, or that runs it.
    pub(super) worker: Option<String>,
}

/// Which executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that waited beyond a steady time, the first of them: time, number.
    Late,
    /// Those that run.
    Running,
    /// The oldest that wait in a slot since before a steady time: its name, whether commands are needed, time, number.
    WaitingIn,
    /// Those of a job that have not ended, and were not asked to: its id.
    OpenOf,
}

impl Which {
    const fn condition(self) -> &'static str {
        match self {
            Self::Late => "status = 'queued' AND expires <= ?1 ORDER BY expires LIMIT ?2",
            Self::Running => "status = 'running'",
            Self::WaitingIn => {
                "slot = ?1 AND needs_commands = ?2 AND coalesce(waits_since, accepted) < ?3 AND status = 'queued' \
                 ORDER BY coalesce(waits_since, accepted) LIMIT ?4"
            }
            Self::OpenOf => "job_id = ?1 AND status IN ('queued', 'running') AND NOT cancel_requested",
        }
    }

    fn sql(self) -> String {
        let condition = self.condition();
        format!(
            "SELECT id, job_id, slot, token, sequence, session, needs_commands, lease, expires, worker, \
             accepted, claimed \
             FROM execution WHERE {condition}"
        )
    }

    /// Reads them.
    pub(super) fn read(self, connection: &Connection, values: impl Params) -> rusqlite::Result<Vec<Row>> {
        connection
            .prepare_cached(&self.sql())?
            .query_map(values, |row| {
                Ok(Row {
                    id: row.get(0)?,
                    job_id: as_id(row.get(1)?)?,
                    slot: row.get(2)?,
                    token: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
                    sequence: row.get::<_, i64>(4)?.cast_unsigned(),
                    session: row.get::<_, Option<[u8; 16]>>(5)?.map(uuid::Uuid::from_bytes),
                    needs_commands: row.get(6)?,
                    lease: row.get::<_, Option<i64>>(7)?.map(|micros| Duration::from_micros(micros.cast_unsigned())),
                    expires: row.get(8)?,
                    worker: row.get(9)?,
                    accepted: row.get(10)?,
                    claimed: row.get(11)?,
                })
            })?
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::model::Model, *};

    #[test]
    fn every_search_uses_the_index_of_what_it_looks_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let model = Model::open(directory.path()).expect("opens");
        for (which, index) in [
            (Which::Late, "execution_deadline"),
            (Which::Running, "execution_running"),
            (Which::WaitingIn, "execution_hinted"),
            (Which::OpenOf, "job_id=?"),
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {}", which.sql());
            let mut statement = model.connection.prepare(&explained).expect("prepares");
            let mut rows = statement.raw_query();
            let mut plan = String::new();
            while let Some(row) = rows.next().expect("explains") {
                plan.push_str(row.get_ref(3).expect("a line").as_str().expect("text"));
                plan.push_str("; ");
            }
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{which:?}: {plan}");
        }
    }
}
