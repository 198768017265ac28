//! Jobs that answer when the test says so. A mock answers at once.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc};

use super::scene::{job, submitted};
use crate::{
    domain::{Caller, Job, JobId, JobStatus, QueueStats},
    ports::{
        driven::{JobPage, PageRequest},
        driving::{JobRequest, Jobs, JobsError, RetryRequest, Submitted},
    },
};

/// What becomes of a call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Began,
    /// The test let it go.
    Ended,
    /// Nobody waited for its answer any more.
    Dropped,
}

/// Jobs whose [`Jobs::job`] and [`Jobs::submit`] wait.
pub(super) struct WaitingJobs {
    go: Arc<Semaphore>,
    events: mpsc::UnboundedSender<Wait>,
}

impl WaitingJobs {
    /// With what happens to its calls, and what lets them go: one permit each.
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Wait>, Arc<Semaphore>) {
        let (events, happened) = mpsc::unbounded_channel();
        let go = Arc::new(Semaphore::new(0));
        (Arc::new(Self { go: Arc::clone(&go), events }), happened, go)
    }

    async fn wait(&self) {
        let mut ending = Ending { events: self.events.clone(), end: Wait::Dropped };
        let _ = self.events.send(Wait::Began);
        self.go.acquire().await.expect("it stays open").forget();
        ending.end = Wait::Ended;
    }
}

/// Reports the end of a call, whichever it is.
struct Ending {
    events: mpsc::UnboundedSender<Wait>,
    end: Wait,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Nobody listens once the test is over.
        let _ = self.events.send(self.end);
    }
}

#[async_trait]
impl Jobs for WaitingJobs {
    async fn job(&self, _: JobId, _: Duration) -> Result<Job, JobsError> {
        self.wait().await;
        Ok(job(JobStatus::Running))
    }

    async fn submit(&self, _: Caller, _: JobRequest, _: Duration) -> Result<Submitted, JobsError> {
        self.wait().await;
        Ok(submitted(false))
    }

    async fn list(&self, _: PageRequest) -> Result<JobPage, JobsError> {
        Err(JobsError::NotFound)
    }

    async fn stats(&self) -> Result<QueueStats, JobsError> {
        Err(JobsError::NotFound)
    }

    async fn retry(&self, _: Caller, _: RetryRequest) -> Result<Submitted, JobsError> {
        Err(JobsError::NotFound)
    }

    async fn cancel(&self, _: JobId) -> Result<Job, JobsError> {
        Err(JobsError::NotFound)
    }

    async fn delete(&self, _: JobId) -> Result<(), JobsError> {
        Err(JobsError::NotFound)
    }
}
