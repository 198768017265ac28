//! Tasks that run as long as the queue is open. One that panics is started again: a process that looks well does what it
//! should.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{task::JoinHandle, time::sleep};

use crate::ports::driven::MetricsPort;

/// Pause before a task that panicked is started again.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts a task, and starts it again whenever it panics, until it ends by itself or is aborted.
pub(super) fn spawn<F>(
    name: &'static str,
    metrics: Arc<dyn MetricsPort>,
    work: impl Fn() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    tokio::spawn(async move {
        while panicked(name, &*metrics, work()).await {
            sleep(AGAIN).await;
        }
    })
}

/// Runs work to its end, and whether that was a panic: it is counted and logged.
pub(super) async fn panicked(name: &str, metrics: &dyn MetricsPort, work: impl Future<Output = ()>) -> bool {
    let panicked = AssertUnwindSafe(work).catch_unwind().await.is_err();
    if panicked {
        metrics.task_panicked();
        tracing::error!(task = name, "a background task of the queue panicked, it is started again");
    }
    panicked
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;
    use crate::ports::driven::MockMetricsPort;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_counted_and_started_again_until_it_ends_by_itself() {
        let mut metrics = MockMetricsPort::new();
        metrics.expect_task_panicked().times(2).return_const(());
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let task = spawn("a task", Arc::new(metrics), move || {
            let number = counted.fetch_add(1, SeqCst);
            async move { assert!(number >= 2, "boom") }
        });
        task.await.expect("it ends by itself");
        assert_eq!(starts.load(SeqCst), 3);
    }
}
