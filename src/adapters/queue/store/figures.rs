//! All figures of the store, and what else the core asks about the whole.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::{Counters, corrupt, timestamp};
use crate::{
    domain::{Hostname, QueueStats},
    ports::driven::Clock,
};

/// The hosts that the operator has told to claim nothing.
pub(in crate::adapters::queue) fn draining(connection: &Connection) -> rusqlite::Result<HashSet<Hostname>> {
    let mut statement = connection.prepare_cached("SELECT hostname FROM draining")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| name?.parse().map_err(|_| corrupt("a hostname that is none"))).collect()
}

/// All figures.
pub(in crate::adapters::queue) fn stats(connection: &Connection, clock: &dyn Clock) -> rusqlite::Result<QueueStats> {
    let counters = Counters::load(connection)?;
    let moment = |sql: &str| -> rusqlite::Result<_> {
        let at: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        at.map(timestamp).transpose()
    };
    Ok(QueueStats {
        jobs: counters.jobs_now(),
        ledger: counters.ledger(),
        depth: u64::try_from(counters.depth).unwrap_or_default(),
        oldest_queued_at: moment(
            "SELECT (SELECT created_at FROM job WHERE id = \
             (SELECT min(job_id) FROM execution INDEXED BY execution_oldest WHERE status = 'queued'))",
        )?,
        longest_running_since: moment("SELECT min(started_at) FROM execution WHERE status = 'running'")?,
        taken_at: clock.now(),
    })
}

/// What the store says of hosts.
#[derive(Debug, Default)]
pub(in crate::adapters::queue) struct Occupation {
    /// Those that the operator has told to claim nothing.
    pub(in crate::adapters::queue) draining: HashSet<Hostname>,
    /// How many executions each of them runs.
    pub(in crate::adapters::queue) used: HashMap<String, u32>,
}

/// What the store says of hosts.
pub(in crate::adapters::queue) fn occupation(connection: &Connection) -> rusqlite::Result<Occupation> {
    // Grouped here: the database would group by an index over everything that ever ran.
    let mut statement = connection
        .prepare_cached("SELECT worker FROM execution INDEXED BY execution_running WHERE status = 'running'")?;
    let mut used = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *used.entry(row.get(0)?).or_default() += 1;
    }
    Ok(Occupation { draining: draining(connection)?, used })
}
