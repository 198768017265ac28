//! What all connections to a store have in common.

use rusqlite::{Connection, config::DbConfig};

/// Statements that stay prepared: all that there are.
const STATEMENTS: usize = 64;

/// Makes a connection keep its statements prepared.
///
/// The plan of a statement must not depend on the values that are bound to it. By default it may, and then SQLite
/// parses and plans a statement again at every use, as soon as a partial index could serve it for some value.
pub(in crate::adapters::queue) fn keep_prepared(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::adapters::queue::store::migrate;

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound_to_it() {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("migrates");
        keep_prepared(&connection).expect("is set");
        let sql = "SELECT count(*) FROM execution WHERE status = ?1 AND job_id = ?2";
        for status in ["queued", "running", "queued"] {
            let mut statement = connection.prepare_cached(sql).expect("prepares");
            let found: i64 = statement.query_row((status, [0; 16]), |row| row.get(0)).expect("counts");
            assert_eq!((found, statement.get_status(StatementStatus::RePrepare)), (0, 0), "{status}");
        }
    }
}
