//! Is the service able to do its work?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{sync::watch, time::timeout};

use super::worker::Membership;
use crate::ports::{
    driven::{JobQueue, QueueError, WorkerRegistry},
    driving::{ComponentHealth, Health, HealthReport, Readiness, Scrape},
};

/// A component that does not answer within this time is down.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a process knows of the fleet.
enum Fleet {
    /// All of it.
    Whole(Arc<dyn WorkerRegistry>),
    /// Whether its own worker is a member.
    Own(watch::Receiver<Membership>),
}

/// Asks the queue and the registry how they are.
pub struct HealthService {
    queue: Arc<dyn JobQueue>,
    fleet: Fleet,
    /// None when metrics are off.
    scrape: Option<Arc<dyn Scrape>>,
    version: &'static str,
    started: Instant,
}

impl HealthService {
    /// Of a process that serves the API: over `queue`, `registry` and, when metrics are on, their page; the uptime counts
    /// from here.
    #[must_use]
    pub fn with_fleet(
        queue: Arc<dyn JobQueue>,
        registry: Arc<dyn WorkerRegistry>,
        scrape: Option<Arc<dyn Scrape>>,
        version: &'static str,
    ) -> Self {
        Self { queue, fleet: Fleet::Whole(registry), scrape, version, started: Instant::now() }
    }

    /// Of a process that only works.
    #[must_use]
    pub fn of_worker(
        queue: Arc<dyn JobQueue>,
        membership: watch::Receiver<Membership>,
        scrape: Option<Arc<dyn Scrape>>,
        version: &'static str,
    ) -> Self {
        Self { queue, fleet: Fleet::Own(membership), scrape, version, started: Instant::now() }
    }

    /// How many workers are connected, as far as this process knows.
    async fn connected(&self) -> Result<usize, String> {
        match &self.fleet {
            Fleet::Whole(registry) => ask(registry.connected()).await.map(|workers| workers.len()),
            Fleet::Own(membership) => membership.borrow().clone().map_or(Ok(1), Err),
        }
    }

    fn components<Q>(&self, queue: &Result<Q, String>, workers: &Result<usize, String>) -> Readiness {
        let metrics = self.scrape.as_ref().map(|scrape| {
            let message = "the latest page could not be made, see the log".to_owned();
            let up = scrape.works();
            ComponentHealth { name: "metrics", up, required: false, message: Some(message).filter(|_| !up) }
        });
        let needed = [component("queue", queue), component("workers", workers)];
        Readiness { components: needed.into_iter().chain(metrics).collect() }
    }
}

/// The answer of a component, or why there is none, in words that an operator may see.
async fn ask<T>(answer: impl Future<Output = Result<T, QueueError>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn component<T>(name: &'static str, answer: &Result<T, String>) -> ComponentHealth {
    ComponentHealth { name, up: answer.is_ok(), required: true, message: answer.as_ref().err().cloned() }
}

#[async_trait]
impl Health for HealthService {
    async fn readiness(&self) -> Readiness {
        let (queue, workers) = tokio::join!(ask(self.queue.check()), self.connected());
        self.components(&queue, &workers)
    }

    async fn report(&self) -> HealthReport {
        let (queue, stats, workers) = tokio::join!(ask(self.queue.check()), ask(self.queue.stats()), self.connected());
        HealthReport {
            version: self.version,
            uptime: self.started.elapsed(),
            readiness: self.components(&queue, &workers),
            queue: self.queue.info(),
            stats: stats.ok(),
            workers: workers.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{
        driven::{MockJobQueue, MockWorkerRegistry, QueueErrorKind},
        driving::scrape::MockScrape,
    };

    fn service(queue: MockJobQueue, registry: MockWorkerRegistry) -> HealthService {
        HealthService::with_fleet(Arc::new(queue), Arc::new(registry), None, "1.2.3")
    }

    #[tokio::test]
    async fn it_is_ready_when_queue_and_registry_answer() {
        let (mut queue, mut registry) = (MockJobQueue::new(), MockWorkerRegistry::new());
        queue.expect_check().returning(|| Ok(()));
        registry.expect_connected().returning(|| Ok(Vec::new()));
        assert!(service(queue, registry).readiness().await.is_ready());
    }

    #[tokio::test]
    async fn a_process_that_only_works_needs_the_queue_and_its_place_in_the_fleet() {
        for (works, membership) in [(true, None), (false, None), (true, Some("the name is taken".to_owned()))] {
            let mut queue = MockJobQueue::new();
            queue.expect_check().returning(move || {
                if works { Ok(()) } else { Err(QueueError::new(QueueErrorKind::Unavailable, "cable cut")) }
            });
            let (_sender, receiver) = watch::channel(membership.clone());
            let readiness = HealthService::of_worker(Arc::new(queue), receiver, None, "1.2.3").readiness().await;
            let parts: Vec<_> = readiness.components.iter().map(|part| (part.name, part.up)).collect();
            assert_eq!(parts, [("queue", works), ("workers", membership.is_none())]);
            assert_eq!(readiness.components[1].message, membership);
        }
    }

    #[tokio::test]
    async fn a_failing_queue_is_named_with_its_reason() {
        let (mut queue, mut registry) = (MockJobQueue::new(), MockWorkerRegistry::new());
        queue.expect_check().returning(|| Err(QueueError::new(QueueErrorKind::Unavailable, "disk on fire")));
        registry.expect_connected().returning(|| Ok(Vec::new()));
        let readiness = service(queue, registry).readiness().await;
        assert!(!readiness.is_ready());
        assert_eq!(readiness.components[0].name, "queue");
        assert_eq!(readiness.components[0].message.as_deref(), Some("disk on fire"));
        assert!(readiness.components[1].up);
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_made_is_named_and_turns_nobody_away() {
        for works in [true, false] {
            let (mut queue, mut registry, mut scrape) =
                (MockJobQueue::new(), MockWorkerRegistry::new(), MockScrape::new());
            queue.expect_check().returning(|| Ok(()));
            registry.expect_connected().returning(|| Ok(Vec::new()));
            scrape.expect_works().return_const(works);
            let service =
                HealthService::with_fleet(Arc::new(queue), Arc::new(registry), Some(Arc::new(scrape)), "1.2.3");
            let readiness = service.readiness().await;
            assert!(readiness.is_ready());
            let metrics = &readiness.components[2];
            assert_eq!((metrics.name, metrics.up, metrics.message.is_some()), ("metrics", works, !works));
        }
    }

    /// A queue whose answer never comes.
    struct Silent;

    #[tokio::test(start_paused = true)]
    async fn a_component_that_never_answers_is_down_after_a_second() {
        let asked = tokio::time::Instant::now();
        let answer = ask::<Silent>(std::future::pending()).await;
        assert_eq!(answer.err().as_deref(), Some("no answer within 1 s"));
        assert_eq!(asked.elapsed(), PATIENCE);
    }
}
