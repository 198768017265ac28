//! Executions that wait although their hints are gone: they get another one.
//!
//! A hint is lost where an execution waits and no hint for its subject is with the server; or where the oldest hint of
//! its subject was sent after the execution began to wait, as hints are taken in their order.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use rusqlite::Connection;
use tokio::time::timeout;

use super::{
    due::{Row, Which},
    executions::Executions,
    fleet::Fleet,
    follower::stored_at,
    link::{ANSWER, micros_of, unavailable},
    names::ANY,
    replica::Replica,
};
use crate::{adapters::queue::store::between, ports::driven::QueueError};

/// Executions that get a hint in one round, at most.
const AT_MOST: u32 = 500;
/// Executions that wait without any hint for so long get another one.
pub(super) const NO_HINT: Duration = Duration::from_millis(1_500);
/// An execution that gets another hint does not get a third one by its age before this.
const REMEMBERED: Duration = Duration::from_mins(10);

/// A subject of hints for which something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waited {
    slot: String,
    needs_commands: bool,
    /// Since when the oldest of it waits, in steady time.
    since: i64,
}

/// What has to be seen for a while before something is done about it.
#[derive(Default)]
pub(super) struct LostHints {
    /// What waits without any hint, by subject, and since when.
    without: HashMap<String, Instant>,
    /// Executions that got another hint, by row, and when that was.
    hinted: HashMap<i64, Instant>,
}

impl LostHints {
    /// Sends the hints that are missing.
    pub(super) async fn look(
        &mut self,
        executions: &Executions,
        replica: &Arc<Replica>,
        fleet: &Fleet,
    ) -> Result<(), QueueError> {
        let waited = replica.readers.read(waited_for).await?;
        if waited.is_empty() {
            self.without.clear();
            return Ok(());
        }
        self.hinted.retain(|_, at| at.elapsed() < REMEMBERED);
        let link = &executions.link;
        let info = link.streams.work.info_with_subjects(link.names.all_of("work")).await;
        let failed = |error| unavailable("the hints cannot be counted").with_source(error);
        // The first page that fails is the last that may be asked for: the client panics when it is polled again.
        let hinted: HashMap<String, usize> = info.map_err(failed)?.try_collect().await.map_err(failed)?;
        let connected: HashSet<String> =
            fleet.connected(link.time.uptime()).into_iter().map(|worker| worker.hostname.to_string()).collect();
        let mut without = HashMap::new();
        for waited in waited {
            let subject = link.names.work(&waited.slot, waited.needs_commands);
            let before = if hinted.get(&subject).is_none_or(|count| *count == 0) {
                let since = self.without.get(&subject).copied().unwrap_or_else(Instant::now);
                if since.elapsed() < NO_HINT {
                    without.insert(subject, since);
                    continue;
                }
                i64::MAX
            } else if (waited.slot == ANY || connected.contains(&waited.slot))
                && between(waited.since, replica.time.now()) > 2 * NO_HINT
            {
                self.oldest_hint(executions, replica, &subject).await?
            } else {
                continue;
            };
            self.send(executions, replica, waited, before).await?;
        }
        self.without = without;
        Ok(())
    }

    /// Since when the oldest hint of a subject is with the server, in steady time, less what may lie between a record and
    /// its hint.
    async fn oldest_hint(&self, executions: &Executions, replica: &Replica, subject: &str) -> Result<i64, QueueError> {
        let link = &executions.link;
        let asked = timeout(ANSWER, link.streams.work.get_first_raw_message_by_subject(subject, 1));
        match asked.await {
            Ok(Ok(hint)) => {
                let age = link.time.age(micros_of(hint.time.unix_timestamp_nanos()));
                Ok(stored_at(replica.time.now(), age + NO_HINT))
            }
            // It was taken just now.
            Ok(Err(_)) => Ok(i64::MIN),
            Err(_) => Err(unavailable("the NATS server does not answer")),
        }
    }

    /// Sends hints for what has waited since before this steady time.
    async fn send(
        &mut self,
        executions: &Executions,
        replica: &Replica,
        waited: Waited,
        before: i64,
    ) -> Result<(), QueueError> {
        if before <= waited.since {
            return Ok(());
        }
        let (slot, needs_commands) = (waited.slot, waited.needs_commands);
        let rows =
            move |connection: &Connection| Which::WaitingIn.read(connection, (slot, needs_commands, before, AT_MOST));
        let rows: Vec<Row> = replica.readers.read(rows).await?;
        for row in rows {
            if before < i64::MAX && self.hinted.contains_key(&row.id) {
                continue;
            }
            self.hinted.insert(row.id, Instant::now());
            let left = between(replica.time.now(), row.expires);
            executions.hint(row.job_id, &row.slot, row.needs_commands, row.sequence, Some(left)).await;
        }
        Ok(())
    }
}

/// The subjects for which something waits; by skipping through the index, not reading it.
fn waited_for(connection: &Connection) -> rusqlite::Result<Vec<Waited>> {
    let mut found: Vec<Waited> = Vec::new();
    let mut next = connection.prepare_cached(
        "SELECT slot, needs_commands, coalesce(waits_since, accepted) FROM execution INDEXED BY execution_hinted \
         WHERE status = 'queued' AND (slot, needs_commands) > (?1, ?2) \
         ORDER BY slot, needs_commands, coalesce(waits_since, accepted) LIMIT 1",
    )?;
    loop {
        let after = found.last().map_or(("", false), |last| (last.slot.as_str(), last.needs_commands));
        let mut rows = next.query(after)?;
        let Some(row) = rows.next()? else { break };
        let waited = Waited { slot: row.get(0)?, needs_commands: row.get(1)?, since: row.get(2)? };
        drop(rows);
        found.push(waited);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{super::model::Model, *};

    fn store(connection: &Connection, number: u8, slot: &str, needs_commands: bool, accepted: i64) {
        let id = [number; 16];
        connection
            .execute(
                "INSERT INTO job (id, operation, effect, target, status, timeout, max_attempts, created_at, deadline_at, \
                 created_by, bytes) VALUES (?1, 'node.load.get', 'read', '_any', 'queued', 1, 1, 1, 1, 'a', 1)",
                [id],
            )
            .expect("inserts");
        connection
            .execute(
                "INSERT INTO execution (job_id, slot, status, needs_commands, expires, accepted) \
                 VALUES (?1, ?2, 'queued', ?3, 1, ?4)",
                (id, slot, needs_commands, accepted),
            )
            .expect("inserts");
    }

    #[test]
    fn every_subject_is_found_with_the_oldest_that_waits_for_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let model = Model::open(directory.path()).expect("opens");
        let connection = &model.connection;
        // An older one that no connected worker may take hides nothing.
        for (number, slot, needs_commands, accepted) in [
            (1, ANY, true, 10),
            (2, ANY, false, 30),
            (3, ANY, false, 20),
            (4, "web-1", false, 50),
            (5, "web-1", true, 40),
        ] {
            store(connection, number, slot, needs_commands, accepted);
        }
        let waited = |slot: &str, needs_commands, since| Waited { slot: slot.to_owned(), needs_commands, since };
        let expected =
            [waited(ANY, false, 20), waited(ANY, true, 10), waited("web-1", false, 50), waited("web-1", true, 40)];
        assert_eq!(waited_for(connection).expect("reads"), expected);
        connection.execute("UPDATE execution SET waits_since = 99 WHERE job_id = ?1", [[3_u8; 16]]).expect("updates");
        assert_eq!(waited_for(connection).expect("reads")[0], waited(ANY, false, 30));
    }
}
