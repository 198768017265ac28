//! The tables, and how a store of an older version becomes one of this version.

use rusqlite::{Connection, TransactionBehavior};

/// Each step takes a store from the version of its position to the next one. Steps are never changed, only added.
const MIGRATIONS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// The version that this program writes.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a handful of migrations")]
pub(in crate::adapters::queue) const VERSION: i32 = MIGRATIONS.len() as i32;

/// The tables that a store of this version has, as SQL.
pub(in crate::adapters::queue) fn tables() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.into_iter()
}

/// The version of a store; 0 for one without tables.
pub(in crate::adapters::queue) fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a store to this version, in one transaction for each step.
pub(in crate::adapters::queue) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = usize::try_from(version(connection)?).unwrap_or(usize::MAX);
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", i32::try_from(step + 1).unwrap_or(i32::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}
