//! Threads that read, beside the one that writes. A read sees everything that was acknowledged before it was asked for,
//! and nothing that changes while it reads.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::{StoreFiles, failure, job, keep_prepared, repeat};
use crate::{
    adapters::queue::waiters::Waiter,
    domain::JobId,
    ports::driven::{QueueError, QueueErrorKind},
};

/// Reads at the same time: a few more than there are processors on a small machine, so that no list delays everybody.
const AT_ONCE: usize = 4;

/// Something to read.
type Read = Box<dyn FnOnce(&mut Reader) + Send>;

/// The threads that read.
pub(in crate::adapters::queue) struct Readers {
    desk: Arc<Desk>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts the threads; they open their connections when they first read.
    pub(in crate::adapters::queue) fn start(files: &StoreFiles) -> io::Result<Self> {
        let readers = Self { desk: Arc::default(), threads: Mutex::default() };
        for _ in 0..AT_ONCE {
            let (desk, reader) = (Arc::clone(&readers.desk), Reader { files: files.clone(), connection: None });
            let thread = thread::Builder::new().name("queue-reader".to_owned()).spawn(move || desk.serve(reader))?;
            readers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(readers)
    }

    /// Reads when it is its turn, unless nobody waits for it any more.
    pub(in crate::adapters::queue) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let (answer, answered) = oneshot::channel();
        self.desk.put(Box::new(move |reader| {
            if !answer.is_closed() {
                // Whoever stopped waiting meanwhile need not know.
                let _ = answer.send(reader.read(query));
            }
        }))?;
        let cut_short = |_| QueueError::new(QueueErrorKind::Unavailable, "a read of the job store was cut short");
        answered.await.map_err(cut_short)?
    }

    /// Tells those who waited for the end of a job what it is now.
    pub(in crate::adapters::queue) fn tell(&self, id: JobId, waiters: Vec<Waiter>) {
        let told = self.desk.put(Box::new(move |reader| {
            let read = reader.read(|connection| job(connection, id));
            for waiter in waiters {
                // Whoever stopped waiting need not know.
                let _ = waiter.send(read.as_ref().map(Clone::clone).map_err(repeat));
            }
        }));
        // A store that is closed tells nobody anything.
        drop(told);
    }

    /// Lets running reads end, closes the connections and refuses all other reads.
    pub(in crate::adapters::queue) fn close(&self) {
        let forgotten = self.desk.close();
        drop(forgotten);
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            // A read that panics does not end its thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where reads wait for a thread, and threads for a read.
#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    reads: VecDeque<Read>,
    /// Threads without work.
    idle: usize,
    closed: bool,
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change is complete in itself.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, read: Read) -> Result<(), QueueError> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(QueueError::new(QueueErrorKind::Unavailable, "the job store is closed"));
        }
        waiting.reads.push_back(read);
        let somebody_sleeps = waiting.idle > 0;
        drop(waiting);
        if somebody_sleeps {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// The next read; none when there will be no more.
    fn take(&self) -> Option<Read> {
        let mut waiting = self.waiting();
        while !waiting.closed {
            if let Some(read) = waiting.reads.pop_front() {
                return Some(read);
            }
            waiting.idle += 1;
            waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
        None
    }

    fn serve(&self, mut reader: Reader) {
        while let Some(read) = self.take() {
            // Its caller hears that nothing was answered, and the panic is in the log.
            let _ = catch_unwind(AssertUnwindSafe(|| read(&mut reader)));
        }
    }

    fn close(&self) -> VecDeque<Read> {
        let mut waiting = self.waiting();
        waiting.closed = true;
        self.bell.notify_all();
        std::mem::take(&mut waiting.reads)
    }
}

/// A connection that reads, opened when it is needed.
struct Reader {
    files: StoreFiles,
    connection: Option<Connection>,
}

impl Reader {
    /// Reads in one transaction. A connection that failed is not used again.
    fn read<T>(&mut self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, QueueError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let read = in_transaction(&connection, query).map_err(failure)?;
        self.connection = Some(connection);
        Ok(read)
    }

    fn connect(&self) -> Result<Connection, QueueError> {
        self.files.check_file()?;
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(self.files.path(), flags)?;
            keep_prepared(&connection)?;
            connection.pragma_update(None, "cache_size", -2_000)?;
            Ok(connection)
        };
        open().map_err(failure)
    }
}

fn in_transaction<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let read = query(connection)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A store with one number in it, and the connection that writes.
    fn store() -> (tempfile::TempDir, StoreFiles, Connection) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("test.db");
        let writer = Connection::open(&file).expect("opens");
        writer
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)")
            .expect("writes");
        let files = StoreFiles::of(&file).expect("it is there");
        (directory, files, writer)
    }

    fn number(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT n FROM t", [], |row| row.get(0))
    }

    #[tokio::test]
    async fn a_read_sees_what_came_before_it_and_nothing_that_changes_meanwhile() {
        let (_directory, files, writer) = store();
        let readers = Readers::start(&files).expect("starts");
        let read = readers.read(move |connection| {
            let before = number(connection)?;
            writer.execute("UPDATE t SET n = n + 1", [])?;
            Ok((before, number(connection)?))
        });
        assert_eq!(read.await.expect("reads"), (1, 1));
        assert_eq!(readers.read(number).await.expect("reads"), 2);
    }

    #[tokio::test]
    async fn reads_that_fail_or_panic_disturb_no_other() {
        let (_directory, files, _writer) = store();
        let readers = Readers::start(&files).expect("starts");
        for _ in 0..2 * AT_ONCE {
            let panicked = readers.read::<()>(|_| panic!("boom")).await.expect_err("no answer");
            assert_eq!(panicked.to_string(), "a read of the job store was cut short");
            let failed =
                readers.read(|connection| connection.execute("DELETE FROM t", [])).await.expect_err("read only");
            assert_eq!(failed.kind(), QueueErrorKind::Unavailable);
        }
        assert_eq!(readers.read(number).await.expect("reads"), 1);
    }

    #[tokio::test]
    async fn what_waits_at_the_close_is_refused_like_what_comes_later() {
        let (_directory, files, _writer) = store();
        let readers = Arc::new(Readers::start(&files).expect("starts"));
        let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
        let ends = Arc::new(Mutex::new(ends));
        let running: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (readers, begun, ends) = (Arc::clone(&readers), begun.clone(), Arc::clone(&ends));
                tokio::spawn(async move {
                    let read = readers.read(move |connection| {
                        begun.send(()).expect("the test listens");
                        ends.lock().expect("not poisoned").recv().expect("the test says so");
                        number(connection)
                    });
                    read.await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        (0..AT_ONCE).for_each(|_| begins.recv().expect("a thread reads"));
        let mut late = Box::pin(readers.read(number));
        tokio::select! {
            biased;
            _ = &mut late => panic!("all threads are busy"),
            () = std::future::ready(()) => {}
        }
        let closing = {
            let readers = Arc::clone(&readers);
            thread::spawn(move || readers.close())
        };
        assert!(late.await.is_err(), "nobody had begun to read it");
        (0..AT_ONCE).for_each(|_| end.send(()).expect("the reads listen"));
        closing.join().expect("closes");
        for read in running {
            assert_eq!(read.await.expect("no panic").expect("it was being read"), 1);
        }
        assert!(readers.read(number).await.is_err());
    }
}
