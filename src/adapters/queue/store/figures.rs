//! All figures of the store, and what else the core asks about the whole.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::{Counters, SteadyTime, corrupt};
use crate::domain::{Hostname, QueueStats};

/// The hosts that the operator has told to claim nothing.
pub(in crate::adapters::queue) fn draining(connection: &Connection) -> rusqlite::Result<HashSet<Hostname>> {
    let mut statement = connection.prepare_cached("SELECT hostname FROM draining")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| name?.parse().map_err(|_| corrupt("a hostname that is none"))).collect()
}

/// All figures.
pub(in crate::adapters::queue) fn stats(connection: &Connection, time: &SteadyTime) -> rusqlite::Result<QueueStats> {
    let counters = Counters::load(connection)?;
    let age = |sql: &str| -> rusqlite::Result<_> {
        let since: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(since.map(|since| time.since(since)))
    };
    Ok(QueueStats {
        jobs: counters.jobs_now(),
        ledger: counters.ledger(),
        depth: u64::try_from(counters.depth).unwrap_or_default(),
        oldest_waiting: age("SELECT min(accepted) FROM execution INDEXED BY execution_oldest WHERE status = 'queued'")?,
        longest_run: age("SELECT min(claimed) FROM execution INDEXED BY execution_running WHERE status = 'running'")?,
        hosts_waited_for: hosts_waited_for(connection)?,
    })
}

/// The hosts that executions wait for; by skipping through the index, not reading it.
fn hosts_waited_for(connection: &Connection) -> rusqlite::Result<Vec<Hostname>> {
    let mut next = connection.prepare_cached(
        "SELECT min(slot) FROM execution INDEXED BY execution_waiting WHERE status = 'queued' AND slot > ?1",
    )?;
    let (mut hosts, mut after) = (Vec::new(), String::new());
    while let Some(slot) = next.query_row([&after], |row| row.get::<_, Option<String>>(0))? {
        hosts.extend(slot.parse::<Hostname>().ok());
        after = slot;
    }
    Ok(hosts)
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
