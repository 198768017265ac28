//! Connections that read, beside the one that writes. A reader sees everything that was acknowledged before it asked.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::failure;
use crate::ports::driven::{QueueError, QueueErrorKind};

/// Reads at the same time: a few more than there are processors on a small machine.
const AT_ONCE: usize = 4;

/// The connections that read.
#[derive(Debug)]
pub(in crate::adapters::queue) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

impl Readers {
    pub(in crate::adapters::queue) fn new(file: PathBuf) -> Arc<Self> {
        Arc::new(Self { file, idle: Mutex::default(), places: Semaphore::new(AT_ONCE) })
    }

    /// Reads on a thread that may block.
    pub(in crate::adapters::queue) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let closed = || QueueError::new(QueueErrorKind::Unavailable, "the job store is closed");
        let _place = self.places.acquire().await.map_err(|_| closed())?;
        let readers = Arc::clone(self);
        spawn_blocking(move || {
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = idle.map_or_else(|| readers.connect(), Ok).map_err(failure)?;
            let read = query(&connection).map_err(failure)?;
            // A connection that failed is not used again.
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(read)
        })
        .await
        .map_err(|_| QueueError::new(QueueErrorKind::Unavailable, "a read of the job store was cut short"))?
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.pragma_update(None, "cache_size", -2_000)?;
        Ok(connection)
    }

    /// Closes the connections and refuses new reads.
    pub(in crate::adapters::queue) fn close(&self) {
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
