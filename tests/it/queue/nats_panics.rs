//! Bugs in what a queue calls: its tasks go on, and the copy of the jobs with them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use osapi::{
    adapters::{metrics::NoopMetrics, queue::nats::NatsQueue},
    domain::{Effect, ExecutionEvent, OperationKind},
    ports::{
        driven::{JobQueue, Submission},
        driving::{JobEvent, JobEvents},
    },
};

use super::{
    fixture::{Options, World, outcome, request},
    nats::{Nats, config},
    nats_process::until,
};

/// Panics when it hears of the first jobs and of the first ends.
#[derive(Default)]
struct Panics {
    created: AtomicUsize,
    completed: AtomicUsize,
}

impl JobEvents for Panics {
    fn committed(&self, events: &[JobEvent]) {
        for event in events {
            let count = match event {
                JobEvent::Created { .. } => self.created.fetch_add(1, Ordering::SeqCst),
                JobEvent::Completed { .. } => self.completed.fetch_add(1, Ordering::SeqCst),
                _ => continue,
            };
            assert!(count >= 2, "boom");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_goes_on_after_panics_with_all_jobs_in_its_copy() {
    let world = World::<Nats>::new(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let config = config(world.backend.server.url(), Some(directory.path()), &world.options);
    let panics: Arc<Panics> = Arc::default();
    let clock = Arc::clone(&world.clock);
    let queue = NatsQueue::connect(config, clock, Arc::clone(&panics) as _, Arc::new(NoopMetrics)).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..6 {
        let job = world.new_job(OperationKind::NodeLoadGet, "_any", &["_any"]);
        ids.push(job.id);
        // The answer is lost with the panic, the job is not.
        let _ = queue.submit(Submission { job, effect: Effect::Read, idempotency: None }).await;
        let claim = queue.claim(request("web-1", 1)).await.unwrap().remove(0);
        until("its end is recorded", || async {
            queue.finish(claim.token, outcome(ExecutionEvent::Returned)).await.is_ok()
        })
        .await;
    }
    for id in ids {
        until("both processes show its end", || async {
            let statuses = [queue.job(id).await, world.queue().job(id).await];
            statuses.iter().all(|job| {
                let job = job.as_ref().ok().and_then(Option::as_ref);
                job.is_some_and(|job| job.summary.status.as_str() == "completed")
            })
        })
        .await;
    }
    until("it is ready", || async { queue.check().await.is_ok() }).await;
    assert!(panics.created.load(Ordering::SeqCst) > 2 && panics.completed.load(Ordering::SeqCst) > 2);
}
