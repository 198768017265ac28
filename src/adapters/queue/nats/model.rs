//! The read model: a copy of the state stream in SQLite, so that lists, figures and searches cost what a page costs.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::connect_error::ConnectError;
use crate::adapters::queue::store::{keep_prepared, migrate};

/// Changes with the tables of the copy: one that was made by another version is made anew.
const VERSION: i64 = 1_000_002;

/// Processes that may keep their copies in one directory.
const COPIES: u32 = 16;

/// A copy that is ours.
pub(super) struct Model {
    pub(super) connection: Connection,
    pub(super) file: PathBuf,
    /// Held as long as the copy is open.
    pub(super) lock: File,
}

impl Model {
    /// Opens a copy in this directory that no other process has, or begins a new one.
    pub(super) fn open(directory: &Path) -> Result<Self, ConnectError> {
        let unusable = |detail: String| ConnectError::Model { path: directory.to_owned(), detail };
        let files = |source: io::Error| unusable(source.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(files)?;
        for number in 1..=COPIES {
            let name = if number == 1 { "read-model".to_owned() } else { format!("read-model-{number}") };
            let path = directory.join(format!("{name}.lock"));
            let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
            let lock = lock.map_err(files)?;
            match lock.try_lock() {
                Ok(()) => {
                    let file = directory.join(format!("{name}.db"));
                    let connection = open_or_begin(&file).map_err(files)?;
                    return Ok(Self { connection, file, lock });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(files(source)),
            }
        }
        Err(unusable(format!("{COPIES} other processes have a copy there")))
    }
}

fn open_or_begin(file: &Path) -> io::Result<Connection> {
    open(file).or_else(|error| {
        tracing::info!(%error, "the read model is made anew");
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            match fs::remove_file(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        open(file).map_err(io::Error::other)
    })
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(file)?;
    keep_prepared(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes away comes again from the stream.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let version: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        migrate(&mut connection)?;
        connection.execute_batch(include_str!("model.sql"))?;
        connection.pragma_update(None, "application_id", VERSION)?;
    } else if version != VERSION {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound == "ok" { Ok(connection) } else { Err(rusqlite::Error::InvalidQuery) }
}

/// How far the copy goes, of a stream with this identity. A copy of another stream is emptied.
pub(super) fn begin(connection: &Connection, stream: &str, last: u64) -> rusqlite::Result<u64> {
    let mut known = connection.prepare_cached("SELECT applied FROM copy WHERE stream = ?1")?;
    let applied: Option<u64> = known.query_map([stream], |row| row.get(0))?.next().transpose()?;
    match applied.filter(|applied| *applied <= last) {
        Some(applied) => Ok(applied),
        None => empty(connection, stream).map(|()| 0),
    }
}

/// Forgets everything: the copy begins anew.
pub(super) fn empty(connection: &Connection, stream: &str) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let emptied = connection
        .execute_batch(
            "DELETE FROM event; DELETE FROM execution; DELETE FROM job; DELETE FROM counter; DELETE FROM draining; \
             DELETE FROM removal; DELETE FROM unsettled; DELETE FROM copy;",
        )
        .and_then(|()| connection.execute("INSERT INTO copy (one, stream, applied) VALUES (1, ?1, 0)", [stream]))
        .and_then(|_| connection.execute_batch("COMMIT"));
    if emptied.is_err() {
        // The next attempt says what is wrong.
        let _ = connection.execute_batch("ROLLBACK");
    }
    emptied
}
