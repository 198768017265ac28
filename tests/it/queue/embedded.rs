//! The embedded queue: its fixture, and what only a queue in a file can do wrong.

use std::{fs, path::Path, sync::Arc};

use futures_util::future::join_all;
use osapi::{
    adapters::{
        clock::SystemClock,
        queue::{
            Retention,
            embedded::{EmbeddedConfig, EmbeddedQueue, OpenError},
        },
    },
    domain::{Effect, OperationKind},
    ports::{
        driven::{Clock, Durability, JobQueue},
        driving::{JobEvent, JobEvents},
    },
};
use tempfile::TempDir;

use super::fixture::{Backend, Options, Ports, Reports, World};

/// An embedded queue in a directory of its own.
pub(crate) struct Embedded {
    directory: TempDir,
    queue: Option<Arc<EmbeddedQueue>>,
}

pub(super) fn config(directory: &Path, options: &Options) -> EmbeddedConfig {
    EmbeddedConfig {
        data_dir: directory.to_owned(),
        durability: Durability::PowerLoss,
        max_depth: options.max_depth,
        lease: options.lease,
        retention: Retention { age: options.retention_age, max_jobs: options.retention_jobs, max_bytes: 1 << 30 },
    }
}

impl Backend for Embedded {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), queue: None }
    }

    fn open(&mut self, options: &Options, clock: Arc<dyn Clock>, events: Arc<dyn JobEvents>) -> Ports {
        let queue = EmbeddedQueue::open(config(self.directory.path(), options), clock, events).unwrap();
        self.queue = Some(Arc::clone(&queue));
        Ports { registry: Arc::clone(&queue) as _, queue }
    }

    /// Goes on with a copy of the files as they are now, as after a power cut; the old queue keeps its own.
    fn kill(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        for name in ["osapi.db", "osapi.db-wal"] {
            let from = self.directory.path().join(name);
            if from.exists() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        self.queue = None;
        self.directory = copy;
    }
}

fn open(directory: &Path) -> Result<Arc<EmbeddedQueue>, OpenError> {
    let reports: Arc<Reports> = Arc::default();
    EmbeddedQueue::open(config(directory, &Options::default()), Arc::new(SystemClock), reports)
}

/// The one line that refuses to open.
fn refusal(directory: &Path) -> String {
    open(directory).err().expect("it is refused").to_string()
}

#[tokio::test]
async fn two_queues_cannot_share_a_directory_and_a_closed_one_gives_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path()).unwrap();
    assert!(refusal(directory.path()).contains("in use by another server"));
    queue.close();
    assert!(queue.check().await.is_err(), "a closed queue answers nothing");
    open(directory.path()).unwrap();
}

#[test]
fn a_damaged_store_is_refused_by_name_and_left_alone() {
    type Damage = (&'static str, fn(&Path));
    let damage: [Damage; 4] = [
        ("empty", |file| fs::write(file, "").unwrap()),
        ("foreign", |file| fs::write(file, "no database".repeat(1000)).unwrap()),
        ("cut", |file| fs::write(file, &fs::read(file).unwrap()[..8192]).unwrap()),
        ("scribbled", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[4096..12288].fill(0x55);
            fs::write(file, bytes).unwrap();
        }),
    ];
    for (name, damage) in damage {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).unwrap().close();
        let file = directory.path().join("osapi.db");
        damage(&file);
        let before = fs::read(&file).unwrap();
        let refused = refusal(directory.path());
        assert!(refused.contains("osapi.db") && refused.contains("corrupt"), "{name}: {refused}");
        assert!(fs::read(&file).unwrap() == before, "the {name} store was changed");
    }
}

#[test]
fn a_log_without_its_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("osapi.db-wal"), "log").unwrap();
    assert!(refusal(directory.path()).contains("osapi.db-wal"));
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).unwrap().close();
    let file = directory.path().join("osapi.db");
    let mut bytes = fs::read(&file).unwrap();
    // The user version is at byte 60 of the header (SQLite file format, 1.3).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&file, bytes).unwrap();
    let refused = refusal(directory.path());
    assert!(refused.contains("version 99"), "{refused}");
}

#[tokio::test]
async fn a_full_queue_refuses_and_keeps_what_it_has() {
    let world = World::<Embedded>::new(Options { max_depth: 2, ..Options::default() });
    world.submit(Effect::Read, &["_any"]).await;
    let job = world.new_job(OperationKind::NodeLoadGet, "_all", &["web-1", "web-2"]);
    let submission = osapi::ports::driven::Submission { job, effect: Effect::Read, idempotency: None };
    let refused = world.queue().submit(submission).await.expect_err("two more do not fit");
    assert_eq!(refused.kind(), osapi::ports::driven::QueueErrorKind::Full);
    assert_eq!(world.queue().stats().await.unwrap().depth, 1);
}

#[tokio::test]
async fn a_change_that_fails_leaves_no_trace_and_disturbs_no_other() {
    let world = World::<Embedded>::new(Options::default());
    let queue = world.queue();
    // No job has two executions on one host: the second one is refused after the job and the first were written.
    let slots = |number: usize| if number == 15 { ["web-1", "web-1"] } else { ["web-1", "web-2"] };
    let jobs: Vec<_> =
        (0..30).map(|number| world.new_job(OperationKind::NodeLoadGet, "_all", &slots(number))).collect();
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    // Together, so that they share transactions.
    let submitted = join_all(jobs.into_iter().map(|job| {
        let submission = osapi::ports::driven::Submission { job, effect: Effect::Read, idempotency: None };
        queue.submit(submission)
    }));
    for (number, (stored, id)) in submitted.await.into_iter().zip(ids).enumerate() {
        let found = queue.job(id).await.unwrap();
        assert_eq!((stored.is_ok(), found.is_some()), (number != 15, number != 15), "{number}: {stored:?}");
    }
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.ledger.created, stats.depth), (29, 58));
    assert_eq!(world.reported(|event| matches!(event, JobEvent::Created { .. })), 29);
}
