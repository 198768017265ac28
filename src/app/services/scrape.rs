//! The metrics page, made when somebody asks for it and for all who ask at the same time.
//!
//! One page is made at a time, and those who come meanwhile share the next one: whatever was acknowledged before a
//! scrape began is on its page. Nothing runs while nobody asks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use crate::{
    domain::{QueueStats, Worker},
    ports::{
        driven::{FleetSnapshot, JobQueue, MetricsExposition, ScrapeEnd, WorkerRegistry},
        driving::{Page, Scrape, ScrapeError},
    },
};

/// What store and registry have not said by then is not on the page.
const PATIENCE: Duration = Duration::from_millis(100);

/// A page to come; none until it is made.
type Pending = watch::Receiver<Option<Result<Page, ScrapeError>>>;

/// What the pages are made from.
struct Sources {
    exposition: Arc<dyn MetricsExposition>,
    queue: Arc<dyn JobQueue>,
    registry: Arc<dyn WorkerRegistry>,
    /// The page that will be made when the one that is being made is done.
    next: Mutex<Option<Pending>>,
    /// Held by the page that is being made.
    making: tokio::sync::Mutex<()>,
}

/// Makes the metrics page.
pub struct ScrapeService {
    sources: Arc<Sources>,
}

impl ScrapeService {
    /// Pages of `exposition`, with the figures of `queue` and `registry`.
    #[must_use]
    pub fn new(
        exposition: Arc<dyn MetricsExposition>,
        queue: Arc<dyn JobQueue>,
        registry: Arc<dyn WorkerRegistry>,
    ) -> Self {
        let (next, making) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { sources: Arc::new(Sources { exposition, queue, registry, next, making }) }
    }
}

#[async_trait]
impl Scrape for ScrapeService {
    async fn page(&self, deadline: Duration) -> Result<Page, ScrapeError> {
        let in_flight = InFlight::start(&self.sources.exposition);
        let until = Instant::now() + deadline;
        let mut pending = Arc::clone(&self.sources).join();
        let page = match timeout_at(until, pending.wait_for(Option::is_some)).await {
            Ok(Ok(page)) => page.clone().unwrap_or(Err(ScrapeError::TimedOut)),
            Ok(Err(_)) => Err(ScrapeError::Failed("the page was given up".to_owned())),
            Err(_) => Err(ScrapeError::TimedOut),
        };
        in_flight.0.scrape_answered(match &page {
            Ok(_) => ScrapeEnd::Served,
            Err(ScrapeError::Failed(_)) => ScrapeEnd::Failed,
            Err(ScrapeError::TimedOut) => ScrapeEnd::TimedOut,
        });
        page
    }
}

impl Sources {
    /// The next page, which is made in a task of its own: whoever stops waiting takes it from nobody else.
    fn join(self: Arc<Self>) -> Pending {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pending) = next.as_ref() {
            return pending.clone();
        }
        let (made, pending) = watch::channel(None);
        *next = Some(pending.clone());
        drop(next);
        tokio::spawn(async move {
            let _turn = self.making.lock().await;
            // From here on it is too late to be on this page.
            self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
            if !made.is_closed() {
                made.send_replace(Some(self.make().await));
            }
        });
        pending
    }

    async fn make(&self) -> Result<Page, ScrapeError> {
        let snapshot = self.snapshot().await;
        let exposition = Arc::clone(&self.exposition);
        let page = match spawn_blocking(move || exposition.render(snapshot)).await {
            Ok(rendered) => rendered.map_err(|error| error.to_string()),
            Err(_) => Err("failed to collect metrics: it panicked".to_owned()),
        };
        page.map(Page::from).map_err(|reason| {
            tracing::error!(reason, "the metrics page could not be made");
            ScrapeError::Failed(reason)
        })
    }

    /// What store and registry say within the time they have. The parts are asked at the same time, so that one that
    /// hangs takes nothing from the others.
    async fn snapshot(&self) -> FleetSnapshot {
        let until = Instant::now() + PATIENCE;
        let (queue, workers, queue_up) = tokio::join!(
            timeout_at(until, self.queue.stats()),
            timeout_at(until, self.registry.connected()),
            timeout_at(until, self.queue.check()),
        );
        let queue: Option<QueueStats> = queue.ok().and_then(Result::ok);
        let workers: Option<Vec<Worker>> = workers.ok().and_then(Result::ok);
        let components = vec![("queue", matches!(queue_up, Ok(Ok(())))), ("workers", workers.is_some())];
        FleetSnapshot { queue, workers, components }
    }
}

/// Counts a scrape as in flight until it is dropped, however it ends.
struct InFlight<'a>(&'a Arc<dyn MetricsExposition>);

impl<'a> InFlight<'a> {
    fn start(exposition: &'a Arc<dyn MetricsExposition>) -> Self {
        exposition.scrape_started();
        Self(exposition)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.scrape_stopped();
    }
}
