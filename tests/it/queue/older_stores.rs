//! Stores that earlier versions of the program wrote: they open, and nothing in them is lost or means something else.
//!
//! `stores/version_N.sql` is what such a store held, as SQLite dumps it.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use osapi::{
    adapters::queue::embedded::EmbeddedQueue,
    domain::{JobId, JobStatus, WorkerState},
    ports::driven::{Clock, JobFilter, JobQueue, PageRequest, WorkerRegistry},
};
use rusqlite::Connection;

use super::{
    embedded::config,
    fixture::{Options, Reports, TestClock, hostname, request, worker},
};

/// When the last job of the store was accepted.
const LAST: i64 = 1_795_809_678_411_419;

fn restore(directory: &Path, dump: &str, version: i32) {
    let store = Connection::open(directory.join("osapi.db")).unwrap();
    store.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    // The dump is in the order of names.
    store.pragma_update(None, "foreign_keys", "OFF").unwrap();
    store.execute_batch(dump).unwrap();
    store.pragma_update(None, "user_version", version).unwrap();
}

/// A host where so much time has passed since the last job of the store.
fn clock_after(time: SignedDuration) -> Arc<TestClock> {
    let clock = Arc::new(TestClock::new());
    let wanted = Timestamp::from_microsecond(LAST).unwrap() + time;
    clock.step(wanted.duration_since(clock.now()));
    clock
}

fn open(directory: &Path, clock: &Arc<TestClock>) -> Arc<EmbeddedQueue> {
    let reports: Arc<Reports> = Arc::default();
    EmbeddedQueue::open(config(directory, &Options::default()), Arc::clone(clock) as _, reports).unwrap()
}

fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_store_of_version_1_opens_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    restore(directory.path(), include_str!("stores/version_1.sql"), 1);
    let clock = clock_after(SignedDuration::from_mins(10));
    let queue = open(directory.path(), &clock);

    let all = queue.jobs(PageRequest { filter: JobFilter::default(), before: None, limit: 100 }).await.unwrap();
    let statuses: Vec<&str> = all.jobs.iter().map(|job| job.status.as_str()).collect();
    assert_eq!(statuses, ["queued", "queued", "completed", "failed", "completed"]);
    let slept = queue.job(id("01a21e99-1021-75ae-8eb4-fd4feab8dd8a")).await.unwrap().unwrap();
    assert_eq!(slept.executions[0].duration_seconds(), Some(1.010_142));
    assert!(slept.executions[0].result.is_some());
    let stats = queue.stats().await.unwrap();
    assert!(stats.ledger_balances() && stats.ledger.created == 5 && stats.depth == 2);
    assert_eq!(stats.oldest_age().as_secs(), 600);

    // The operator's decision is still there.
    queue.heartbeat(worker("web-1", 1)).await.unwrap();
    assert_eq!(queue.connected().await.unwrap()[0].state, WorkerState::Draining);

    // Each deadline holds to the second, however the clock is set.
    clock.step(SignedDuration::from_hours(-20));
    clock.pass(Duration::from_mins(49));
    queue.check().await.unwrap();
    assert_eq!(queue.stats().await.unwrap().depth, 2);
    clock.pass(Duration::from_mins(2));
    queue.check().await.unwrap();
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.depth, stats.by_status(JobStatus::Expired)), (1, 1));
    queue.heartbeat(worker("web-1", 1)).await.unwrap();
    assert!(queue.set_draining(&hostname("web-1"), false).await.unwrap().is_some());
    let claims = queue.claim(request("web-1", 1)).await.unwrap();
    assert_eq!(claims[0].job_id, id("01a21e99-143c-74a8-92d4-f670c41af372"));
    let left = claims[0].time_left;
    assert!(left > Duration::from_mins(1_378) && left < Duration::from_hours(23), "{left:?}");
}

#[tokio::test]
async fn what_ended_in_a_store_of_version_1_is_removed_when_it_is_old() {
    let directory = tempfile::tempdir().unwrap();
    restore(directory.path(), include_str!("stores/version_1.sql"), 1);
    let clock = clock_after(SignedDuration::from_hours(23));
    let queue = open(directory.path(), &clock);
    queue.check().await.unwrap();
    let ended = |stats: osapi::domain::QueueStats| {
        stats.by_status(JobStatus::Completed) + stats.by_status(JobStatus::Failed) + stats.by_status(JobStatus::Expired)
    };
    assert_eq!(ended(queue.stats().await.unwrap()), 4, "one waited too long by now");
    clock.pass(Duration::from_mins(61));
    let begun = std::time::Instant::now();
    // Those that expired since are younger.
    while ended(queue.stats().await.unwrap()) > 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "they are kept");
        queue.check().await.unwrap();
    }
}
