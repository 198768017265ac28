//! The figures of the store: how many jobs there are and ever were, kept beside what they count.

use rusqlite::Connection;

use crate::domain::{JobStatus, Ledger, OperationKind};

const STATUSES: usize = JobStatus::ALL.len();
const OPERATIONS: usize = OperationKind::ALL.len();

/// Changes of the figures, made by one command or by all commands of one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::adapters::queue) struct Deltas {
    /// Jobs by operation and status.
    pub(in crate::adapters::queue) jobs: [[i64; STATUSES]; OPERATIONS],
    /// Jobs ever created.
    pub(in crate::adapters::queue) created: i64,
    /// Jobs that ever ended, by status.
    pub(in crate::adapters::queue) completed: [i64; STATUSES],
    /// Executions that wait.
    pub(in crate::adapters::queue) depth: i64,
    /// Bytes of all records, about.
    pub(in crate::adapters::queue) bytes: i64,
    /// Claim tokens used.
    pub(in crate::adapters::queue) tokens: i64,
}

/// The figures as they stand.
pub(in crate::adapters::queue) type Counters = Deltas;

impl Deltas {
    /// Adds other changes to these.
    pub(in crate::adapters::queue) fn add(&mut self, other: &Self) {
        for (row, other) in self.jobs.iter_mut().zip(&other.jobs) {
            row.iter_mut().zip(other).for_each(|(value, other)| *value += other);
        }
        self.completed.iter_mut().zip(&other.completed).for_each(|(value, other)| *value += other);
        self.created += other.created;
        self.depth += other.depth;
        self.bytes += other.bytes;
        self.tokens += other.tokens;
    }

    /// Jobs that are there and have ended.
    pub(in crate::adapters::queue) fn terminal(&self) -> i64 {
        let terminal = JobStatus::ALL.into_iter().filter(|status| status.is_terminal());
        terminal.map(|status| self.jobs.iter().map(|row| row[status.index()]).sum::<i64>()).sum()
    }

    /// Lifetime totals.
    pub(in crate::adapters::queue) fn ledger(&self) -> Ledger {
        Ledger { created: whole(self.created), completed: self.completed.map(whole) }
    }

    /// Jobs now, by operation and status.
    pub(in crate::adapters::queue) fn jobs_now(&self) -> [[u64; STATUSES]; OPERATIONS] {
        self.jobs.map(|row| row.map(whole))
    }

    /// Reads the figures of a store.
    pub(in crate::adapters::queue) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut counters = Self::default();
        let mut statement = connection.prepare_cached("SELECT name, value FROM counter")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let value: i64 = row.get(1)?;
            // A name that an older or newer version wrote counts nothing here.
            if let Some(field) = counters.field(row.get_ref(0)?.as_str()?) {
                *field = value;
            }
        }
        Ok(counters)
    }

    /// Adds these changes to the figures of a store.
    pub(in crate::adapters::queue) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
        )?;
        for (name, value) in self.named().filter(|(_, value)| *value != 0) {
            statement.execute((name, value))?;
        }
        Ok(())
    }

    fn named(&self) -> impl Iterator<Item = (String, i64)> {
        let jobs = OperationKind::ALL.into_iter().flat_map(move |operation| {
            JobStatus::ALL.into_iter().map(move |status| {
                let value = self.jobs[operation.index()][status.index()];
                (value != 0, operation, status, value)
            })
        });
        let jobs = jobs
            .filter(|(changed, ..)| *changed)
            .map(|(_, operation, status, value)| (format!("jobs {} {}", operation.name(), status.as_str()), value));
        let completed = JobStatus::ALL.into_iter().map(|status| (status, self.completed[status.index()]));
        let completed = completed
            .filter(|(_, value)| *value != 0)
            .map(|(status, value)| (format!("completed {}", status.as_str()), value));
        let rest = [("created", self.created), ("depth", self.depth), ("bytes", self.bytes), ("tokens", self.tokens)];
        jobs.chain(completed).chain(rest.map(|(name, value)| (name.to_owned(), value)))
    }

    fn field(&mut self, name: &str) -> Option<&mut i64> {
        let words: Vec<&str> = name.split(' ').collect();
        match words[..] {
            ["created"] => Some(&mut self.created),
            ["depth"] => Some(&mut self.depth),
            ["bytes"] => Some(&mut self.bytes),
            ["tokens"] => Some(&mut self.tokens),
            ["completed", status] => Some(&mut self.completed[JobStatus::from_word(status)?.index()]),
            ["jobs", operation, status] => {
                let operation = OperationKind::from_name(operation).ok()?;
                Some(&mut self.jobs[operation.index()][JobStatus::from_word(status)?.index()])
            }
            _ => None,
        }
    }
}

fn whole(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::queue::store::migrate;

    #[test]
    fn every_figure_reads_back_as_it_was_added() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("migrates");
        let mut deltas = Deltas { created: 7, depth: 3, bytes: 900, tokens: 5, ..Deltas::default() };
        for operation in OperationKind::ALL {
            for status in JobStatus::ALL {
                let (row, column) = (operation.index(), status.index());
                deltas.jobs[row][column] = i64::try_from(10 * row + column + 1).expect("small");
                deltas.completed[column] = i64::try_from(column).expect("small");
            }
        }
        deltas.save(&connection).expect("saves");
        assert_eq!(Counters::load(&connection).expect("loads"), deltas);

        deltas.save(&connection).expect("saves");
        let mut doubled = deltas.clone();
        doubled.add(&deltas);
        assert_eq!(Counters::load(&connection).expect("loads"), doubled);
    }
}
