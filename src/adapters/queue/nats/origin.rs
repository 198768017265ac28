//! Whether a copy is one of the stream that is there now. A server that was restored to an older state has the same
//! stream with other records: the sequences of some of them are the same.
//!
//! A copy remembers the last records that it took. The stream is the same as far as the last of them that is still in
//! it. Those after that one must have been replaced by later records of their subjects, which are still to come.

use rusqlite::{Connection, OptionalExtension};

use super::{
    link::{Link, Stored},
    names::About,
    record::{JobEntry, decode},
    standing::Standing,
};
use crate::ports::driven::QueueError;

/// Records that are remembered. Where all of them were replaced, the copy begins anew.
const REMEMBERED: u64 = 64;

/// A record that the copy took.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    sequence: u64,
    subject: String,
    at: i64,
}

/// What a copy knows of the stream that it was made from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The identity of the stream.
    stream: String,
    /// The last sequence that was applied.
    pub(super) applied: u64,
    /// The last records, the latest first.
    last: Vec<Taken>,
}

impl Origin {
    /// What this copy knows; none for a new one.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let copy = connection
            .query_row("SELECT stream, applied FROM copy", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((stream, applied)) = copy else { return Ok(None) };
        let mut statement = connection.prepare("SELECT sequence, subject, at FROM taken ORDER BY sequence DESC")?;
        let last = statement
            .query_map([], |row| Ok(Taken { sequence: row.get(0)?, subject: row.get(1)?, at: row.get(2)? }))?;
        Ok(Some(Self { stream, applied, last: last.collect::<rusqlite::Result<_>>()? }))
    }

    /// Whether the stream that stands like this is the one that the copy was made from.
    pub(super) async fn is(&self, link: &Link, standing: &Standing) -> Result<bool, QueueError> {
        if self.stream != standing.identity || self.applied > standing.last {
            return Ok(false);
        }
        for taken in &self.last {
            match link.state(&taken.subject).await? {
                Some(found) if found.sequence == taken.sequence => return Ok(found.at == taken.at),
                Some(found) if found.sequence > taken.sequence => {}
                None if removed_since(link, taken).await? => {}
                _ => return Ok(false),
            }
        }
        Ok(self.applied == 0)
    }
}

/// Whether a record is gone because its job was removed.
async fn removed_since(link: &Link, taken: &Taken) -> Result<bool, QueueError> {
    let about = link.names.about(&taken.subject);
    let Some(About::Execution(id, _) | About::Done(id) | About::Cancel(id)) = about else { return Ok(false) };
    let found = link.state(&link.names.job(id)).await?;
    Ok(found.is_some_and(|found| {
        found.sequence > taken.sequence && matches!(decode(&found.payload), Some(JobEntry::Removed(_)))
    }))
}

/// Remembers the last of these records, in the transaction that takes them.
pub(super) fn remember<'a>(
    connection: &Connection,
    records: impl DoubleEndedIterator<Item = &'a Stored>,
) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO taken (place, sequence, subject, at) VALUES (?1, ?2, ?3, ?4)")?;
    for record in records.rev().take(usize::try_from(REMEMBERED).unwrap_or(usize::MAX)) {
        let place = record.sequence % REMEMBERED;
        insert.execute((place, record.sequence, &record.subject, record.at))?;
    }
    Ok(())
}
