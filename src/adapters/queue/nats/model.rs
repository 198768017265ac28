//! The read model: a copy of the state stream in SQLite, so that lists, figures and searches cost what a page costs.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::connect_error::ConnectError;
use crate::adapters::queue::store::{LOG_BYTES, StoreFiles, keep_prepared, migrate, tables};

/// The tables that a copy has beside those of every store.
const TABLES: &str = include_str!("model.sql");

/// How long another program that has locked the copy is waited for.
const BUSY: Duration = Duration::from_millis(500);

/// Processes that may keep their copies in one directory.
const COPIES: u32 = 16;

/// A copy that is ours.
pub(super) struct Model {
    pub(super) connection: Connection,
    pub(super) files: StoreFiles,
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
                    let files = StoreFiles::of(&file).map_err(files)?;
                    return Ok(Self { connection, files, lock });
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

/// Opens a copy, or makes an empty one.
pub(super) fn open(file: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(file)?;
    // One that another program has locked is not waited for: reads are refused meanwhile.
    connection.busy_timeout(BUSY)?;
    keep_prepared(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes away comes again from the stream.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    let version: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        migrate(&mut connection)?;
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "application_id", format())?;
    } else if version != i64::from(format()) {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound == "ok" { Ok(connection) } else { Err(rusqlite::Error::InvalidQuery) }
}

/// Identifies the tables of a copy: one with other tables is made anew. Follows from the tables themselves.
fn format() -> i32 {
    let mut hasher = Sha256::new();
    tables().for_each(|sql| hasher.update(sql));
    hasher.update(TABLES);
    let digest = hasher.finalize();
    i32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Forgets everything: the copy begins anew.
pub(super) fn empty(connection: &Connection, stream: &str) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let emptied = connection
        .execute_batch(
            "DELETE FROM event; DELETE FROM execution; DELETE FROM job; DELETE FROM counter; DELETE FROM draining; \
             DELETE FROM removal; DELETE FROM unsettled; \
             DELETE FROM taken; DELETE FROM copy;",
        )
        .and_then(|()| connection.execute("INSERT INTO copy (one, stream, applied) VALUES (1, ?1, 0)", [stream]))
        .and_then(|_| connection.execute_batch("COMMIT"));
    if emptied.is_err() {
        // The next attempt says what is wrong.
        let _ = connection.execute_batch("ROLLBACK");
    }
    emptied
}
