//! The files of the embedded queue while it is open: removed, replaced, grown by a reader; and a writer that panics.

use std::{fs, path::Path, sync::Arc, time::Duration};

use osapi::{
    adapters::{clock::SystemClock, queue::embedded::EmbeddedQueue},
    domain::{Effect, JobId, NewJob, Operation, OperationKind, Slot},
    ports::{
        driven::{JobQueue, QueueErrorKind, Submission},
        driving::{JobEvent, JobEvents},
    },
};
use rusqlite::Connection;
use tokio::time::timeout;

use super::{
    embedded::config,
    fixture::{Options, Reports},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn open(directory: &Path) -> Arc<EmbeddedQueue> {
    let reports: Arc<Reports> = Arc::default();
    let options = Options { max_depth: 1_000_000, ..Options::default() };
    EmbeddedQueue::open(config(directory, &options), Arc::new(SystemClock), reports).unwrap()
}

fn submission(number: u128) -> Submission {
    let id = uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number);
    let mut nothing = serde_json::Deserializer::from_str("{}");
    let job = NewJob {
        id: JobId::try_from(id).unwrap(),
        operation: Operation::deserialize(OperationKind::NodeLoadGet, &mut nothing).unwrap(),
        target: "web-1".parse().unwrap(),
        slots: vec![Slot::Host("web-1".parse().unwrap())],
        timeout: Duration::from_secs(30),
        max_attempts: 2,
        deadline: Duration::from_hours(1),
        created_by: "alice".to_owned(),
        retried_from: None,
    };
    Submission { job, effect: Effect::Read, idempotency: None }
}

async fn refusal(queue: &EmbeddedQueue, number: u128) -> String {
    let refused = queue.submit(submission(number)).await.expect_err("it would be gone with the process");
    assert_eq!((refused.kind(), refused.uncertain()), (QueueErrorKind::Unavailable, false));
    assert!(queue.check().await.is_err(), "it is not ready");
    refused.to_string()
}

#[tokio::test]
async fn a_store_that_is_removed_or_replaced_while_it_is_open_takes_nothing_more() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let queue = open(&directory);
    queue.submit(submission(0)).await.unwrap();

    // The whole directory is moved away, then another store is in its place, then it comes back.
    fs::rename(&directory, parent.path().join("away")).unwrap();
    assert!(refusal(&queue, 1).await.contains("osapi.db was removed while it was in use"));
    open(&directory).close();
    assert!(refusal(&queue, 2).await.contains("osapi.db was replaced while it was in use"));
    fs::remove_dir_all(&directory).unwrap();
    fs::rename(parent.path().join("away"), &directory).unwrap();
    queue.submit(submission(3)).await.unwrap();
    queue.check().await.unwrap();

    fs::remove_file(directory.join("osapi.db-wal")).unwrap();
    assert!(refusal(&queue, 4).await.contains("lost its write-ahead log"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grew_for_a_reader_is_cut_when_it_has_gone() {
    const BOUND: u64 = 16 * 1024 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    queue.submit(submission(0)).await.unwrap();
    let reader = Connection::open(directory.path().join("osapi.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM job").unwrap();
    let length = || fs::metadata(directory.path().join("osapi.db-wal")).unwrap().len();
    let mut number = 0;
    while length() < BOUND + 2_000_000 {
        number += 1;
        queue.submit(submission(number)).await.unwrap();
    }
    drop(reader);
    let cut = async {
        while length() > BOUND {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, cut).await.expect("it is cut although nothing is written");
    queue.close();
    assert_eq!(open(directory.path()).stats().await.unwrap().ledger.created, u64::try_from(number).unwrap() + 1);
}

/// Panics at the first job.
struct Panics;

impl JobEvents for Panics {
    fn committed(&self, _: &[JobEvent]) {
        panic!("boom");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_panics_is_told_and_what_it_committed_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::default();
    let queue =
        EmbeddedQueue::open(config(directory.path(), &options), Arc::new(SystemClock), Arc::new(Panics)).unwrap();
    assert!(timeout(Duration::from_millis(50), queue.failed()).await.is_err(), "it works");
    assert!(queue.submit(submission(0)).await.is_err());
    timeout(PATIENCE, queue.failed()).await.expect("it is told");
    assert!(queue.check().await.is_err());
    queue.close();
    assert_eq!(open(directory.path()).stats().await.unwrap().ledger.created, 1);
}
