//! Opening a store: the directory, the lock, the check, the schema.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::open_error::OpenError;
use crate::{
    adapters::queue::store::{LOG_BYTES, StoreFiles, VERSION, keep_prepared, migrate, version},
    ports::driven::Durability,
};

/// How long the check of a store may delay the start; what is not checked by then is checked beside the work.
const CHECK: Duration = Duration::from_millis(500);

/// A store that is ours, checked and up to date.
pub(super) struct Booted {
    pub(super) connection: Connection,
    pub(super) files: StoreFiles,
    /// Held as long as the store is open.
    pub(super) lock: File,
}

/// Opens the store in this directory; makes what is not there.
pub(super) fn boot(directory: &Path, durability: Durability) -> Result<Booted, OpenError> {
    let files = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| OpenError::Files { path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(files(directory))?;
    let lock = lock(directory)?;

    let file = directory.join("osapi.db");
    let store = |source: rusqlite::Error| opened(&file, source);
    match fs::metadata(&file) {
        Ok(found) if found.len() == 0 => {
            return Err(OpenError::Corrupt { file, detail: "it is empty".to_owned() });
        }
        Ok(_) => check(&file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(directory, &file)?,
        Err(error) => return Err(files(&file)(error)),
    }

    let mut connection = Connection::open(&file).map_err(store)?;
    keep_prepared(&connection).map_err(store)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(store)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES).map_err(store)?;
    let synchronous = match durability {
        Durability::PowerLoss => "FULL",
        Durability::ProcessCrash => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(store)?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(store)?;
    migrate(&mut connection).map_err(store)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(store)?;
    let files = StoreFiles::of(&file).map_err(files(&file))?;
    Ok(Booted { connection, files, lock })
}

/// Makes sure that no other process uses the directory.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("osapi.lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.map_err(|source| OpenError::Files { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Files { path, source }),
    }
}

/// Makes an empty store under another name first: a store under the right name is always whole.
fn create(directory: &Path, file: &Path) -> Result<(), OpenError> {
    let files = |source| OpenError::Files { path: file.to_owned(), source };
    let log = directory.join("osapi.db-wal");
    if log.exists() {
        let detail = format!("it is missing, but its log {} is there", log.display());
        return Err(OpenError::Corrupt { file: file.to_owned(), detail });
    }
    let new = directory.join("osapi.db.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(files(error)),
        _ => {}
    }
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new).map_err(files)?;
    let make = || {
        let mut connection = Connection::open(&new)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        migrate(&mut connection)?;
        connection.close().map_err(|(_, error)| error)
    };
    make().map_err(|source| opened(file, source))?;
    File::open(&new).and_then(|new| new.sync_all()).map_err(files)?;
    fs::rename(&new, file).map_err(files)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(files)
}

/// Refuses a store that is damaged, or newer than this program. Changes nothing.
fn check(file: &Path) -> Result<(), OpenError> {
    let damaged = |detail: String| OpenError::Corrupt { file: file.to_owned(), detail };
    let reader = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(file, flags).map_err(|source| opened(file, source))
    };
    let connection = reader()?;
    let found = version(&connection).map_err(|source| opened(file, source))?;
    if found > VERSION {
        return Err(OpenError::Newer { file: file.to_owned(), found, known: VERSION });
    }
    if found == 0 {
        return Err(damaged("it holds no job store".to_owned()));
    }
    let interrupt = connection.get_interrupt_handle();
    let (done, unfinished) = std::sync::mpsc::channel::<()>();
    let timer = thread::spawn(move || {
        if unfinished.recv_timeout(CHECK).is_err_and(|ended| ended == std::sync::mpsc::RecvTimeoutError::Timeout) {
            interrupt.interrupt();
        }
    });
    let checked = quick_check(&connection);
    drop(done);
    // It does nothing that could panic.
    let _ = timer.join();
    match checked {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => Err(damaged(problem)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            let (connection, name) = (reader()?, file.display().to_string());
            thread::spawn(move || match quick_check(&connection) {
                Ok(None) => tracing::info!(file = name, "the job store was checked and is sound"),
                Ok(Some(problem)) => tracing::error!(file = name, problem, "the job store is corrupt"),
                Err(error) => tracing::error!(file = name, %error, "the job store could not be checked"),
            });
            Ok(())
        }
        Err(error) => Err(opened(file, error)),
    }
}

/// The first problem of a store.
fn quick_check(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(said).filter(|said| said != "ok"))
}

fn opened(file: &Path, source: rusqlite::Error) -> OpenError {
    let file = file.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Corrupt { file, detail: source.to_string() }
        }
        _ => OpenError::Store { file, source },
    }
}
