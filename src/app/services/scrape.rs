//! The metrics page, made when somebody asks for it and for all who ask at the same time.
//!
//! One page is made at a time, and those who come meanwhile share the next one: whatever was acknowledged before a
//! scrape began is on its page. Nothing runs while nobody asks.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use crate::ports::{
    driven::{FleetSnapshot, JobQueue, MetricsExposition, QueueError, ScrapeEnd, WorkerRegistry},
    driving::{Page, Scrape, ScrapeError},
};

/// What store and registry have not said by then is not on the page.
const PATIENCE: Duration = Duration::from_millis(100);

/// A page to come; none until it is made.
type Pending = watch::Receiver<Option<Result<Page, ScrapeError>>>;

/// What the pages are made from.
struct Sources {
    exposition: Arc<dyn MetricsExposition>,
    queue: Arc<dyn JobQueue>,
    /// None where the fleet is not shown.
    registry: Option<Arc<dyn WorkerRegistry>>,
    /// The page that will be made when the one that is being made is done.
    next: Mutex<Option<Pending>>,
    /// Held by the page that is being made.
    making: tokio::sync::Mutex<()>,
    /// Whether the latest page could not be made.
    failed: AtomicBool,
}

/// Makes the metrics page.
pub struct ScrapeService {
    sources: Arc<Sources>,
}

impl ScrapeService {
    /// Pages of an API process: of `exposition`, with the figures of `queue` and `registry`.
    #[must_use]
    pub fn with_fleet(
        exposition: Arc<dyn MetricsExposition>,
        queue: Arc<dyn JobQueue>,
        registry: Arc<dyn WorkerRegistry>,
    ) -> Self {
        Self::new(exposition, queue, Some(registry))
    }

    /// Pages of a process that only works: of `exposition`, and whether `queue` answers. Were every worker to show the
    /// whole fleet, the series would grow with its square.
    #[must_use]
    pub fn of_worker(exposition: Arc<dyn MetricsExposition>, queue: Arc<dyn JobQueue>) -> Self {
        Self::new(exposition, queue, None)
    }

    fn new(
        exposition: Arc<dyn MetricsExposition>,
        queue: Arc<dyn JobQueue>,
        registry: Option<Arc<dyn WorkerRegistry>>,
    ) -> Self {
        let (next, making, failed) = (Mutex::default(), tokio::sync::Mutex::default(), AtomicBool::default());
        Self { sources: Arc::new(Sources { exposition, queue, registry, next, making, failed }) }
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

    fn works(&self) -> bool {
        !self.sources.failed.load(Ordering::Relaxed)
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
        self.failed.store(page.is_err(), Ordering::Relaxed);
        page.map(Page::from).map_err(|reason| {
            tracing::error!(reason, "the metrics page could not be made");
            ScrapeError::Failed(reason)
        })
    }

    /// What store and registry say within the time they have. The parts are asked at the same time, so that one that
    /// hangs takes nothing from the others.
    async fn snapshot(&self) -> FleetSnapshot {
        let until = Instant::now() + PATIENCE;
        // What this page shows of pages is the one before it.
        let metrics = ("metrics", !self.failed.load(Ordering::Relaxed));
        let check = timeout_at(until, self.queue.check());
        let Some(registry) = &self.registry else {
            let up = matches!(check.await, Ok(Ok(())));
            let components = vec![("queue", up), metrics];
            return FleetSnapshot { queue_connected: up, components, ..FleetSnapshot::default() };
        };
        let (check, queue, workers) =
            tokio::join!(check, answer(until, self.queue.stats()), answer(until, registry.connected()));
        let up = matches!(check, Ok(Ok(())));
        // A queue that cannot be reached may have left a copy of its jobs here, which goes on to answer: what that says
        // is old. One that is only slow to answer is not gone.
        let queue = queue.filter(|_| !matches!(check, Ok(Err(_))));
        let components = vec![("queue", up), ("workers", workers.is_some()), metrics];
        FleetSnapshot { queue_connected: up && queue.is_some(), queue, workers, components }
    }
}

/// What a part says in time; none when it says nothing, or that it failed.
async fn answer<T>(until: Instant, part: impl Future<Output = Result<T, QueueError>>) -> Option<T> {
    timeout_at(until, part).await.ok()?.ok()
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

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc,
    };

    use tokio::{sync::mpsc as events, task::yield_now};

    use super::*;
    use crate::{
        domain::QueueStats,
        ports::driven::{ExpositionError, MockJobQueue, MockMetricsExposition, MockWorkerRegistry, QueueErrorKind},
    };

    const LONG: Duration = Duration::from_secs(10);

    /// What a page that is being made is told to do.
    enum Order {
        Finish,
        Fail,
        Panic,
    }

    /// Makes pages that show the depth of the queue, each when it is told to.
    struct Stage {
        begun: events::UnboundedSender<()>,
        orders: Mutex<mpsc::Receiver<Order>>,
        started: AtomicUsize,
        stopped: AtomicUsize,
        ends: Mutex<Vec<ScrapeEnd>>,
    }

    impl MetricsExposition for Stage {
        fn render(&self, snapshot: FleetSnapshot) -> Result<String, ExpositionError> {
            self.begun.send(()).expect("somebody listens");
            let order = self.orders.lock().expect("not poisoned").recv().expect("an order comes");
            match order {
                Order::Finish => Ok(format!("depth {:?}", snapshot.queue.map(|stats| stats.depth))),
                Order::Fail => Err(ExpositionError("no reason".to_owned())),
                Order::Panic => panic!("boom"),
            }
        }

        fn scrape_started(&self) {
            self.started.fetch_add(1, SeqCst);
        }

        fn scrape_stopped(&self) {
            self.stopped.fetch_add(1, SeqCst);
        }

        fn scrape_answered(&self, end: ScrapeEnd) {
            self.ends.lock().expect("not poisoned").push(end);
        }
    }

    struct Scene {
        service: Arc<ScrapeService>,
        stage: Arc<Stage>,
        begun: events::UnboundedReceiver<()>,
        orders: mpsc::Sender<Order>,
        depth: Arc<AtomicU64>,
    }

    impl Scene {
        fn new() -> Self {
            let ((begun_sender, begun), (orders, order_receiver)) = (events::unbounded_channel(), mpsc::channel());
            let stage = Arc::new(Stage {
                begun: begun_sender,
                orders: Mutex::new(order_receiver),
                started: AtomicUsize::default(),
                stopped: AtomicUsize::default(),
                ends: Mutex::default(),
            });
            let depth = Arc::new(AtomicU64::new(0));
            let (mut queue, mut registry) = (MockJobQueue::new(), MockWorkerRegistry::new());
            let read = Arc::clone(&depth);
            queue
                .expect_stats()
                .returning(move || Ok(QueueStats { depth: read.load(SeqCst), ..QueueStats::default() }));
            queue.expect_check().returning(|| Ok(()));
            registry.expect_connected().returning(|| Ok(Vec::new()));
            let exposition: Arc<dyn MetricsExposition> = Arc::clone(&stage) as _;
            let service = Arc::new(ScrapeService::with_fleet(exposition, Arc::new(queue), Arc::new(registry)));
            Self { service, stage, begun, orders, depth }
        }

        /// A scrape that has begun to wait for its page.
        async fn scrape(&self, deadline: Duration) -> tokio::task::JoinHandle<Result<Page, ScrapeError>> {
            let (service, started) = (Arc::clone(&self.service), self.stage.started.load(SeqCst));
            let scrape = tokio::spawn(async move { service.page(deadline).await });
            while self.stage.started.load(SeqCst) == started {
                yield_now().await;
            }
            scrape
        }

        async fn page_begins(&mut self) {
            self.begun.recv().await.expect("the stage is there");
        }

        fn order(&self, order: Order) {
            self.orders.send(order).expect("the stage is there");
        }

        fn ends(&self) -> Vec<ScrapeEnd> {
            self.stage.ends.lock().expect("not poisoned").clone()
        }
    }

    fn shows(depth: u64) -> Page {
        format!("depth {:?}", Some(depth)).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_scrapes_cost_two_pages_and_see_what_was_acknowledged_before_them() {
        let mut scene = Scene::new();
        let first = scene.scrape(LONG).await;
        scene.page_begins().await;
        scene.depth.store(7, SeqCst);
        let mut others = Vec::new();
        for _ in 0..99 {
            others.push(scene.scrape(LONG).await);
        }
        // Enough for one page each, so that too many pages are seen and not waited for.
        (0..100).for_each(|_| scene.order(Order::Finish));
        assert_eq!(first.await.expect("no panic"), Ok(shows(0)));
        for other in others {
            assert_eq!(other.await.expect("no panic"), Ok(shows(7)));
        }
        scene.page_begins().await;
        assert!(scene.begun.try_recv().is_err(), "a third page was made");
        assert_eq!(scene.ends(), [ScrapeEnd::Served; 100]);
        assert_eq!(scene.stage.stopped.load(SeqCst), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_whose_page_is_late_is_told_so_and_the_next_one_gets_its_page() {
        let mut scene = Scene::new();
        let late = scene.scrape(Duration::from_secs(1)).await;
        scene.page_begins().await;
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert_eq!(late.await.expect("no panic"), Err(ScrapeError::TimedOut));
        let next = scene.scrape(LONG).await;
        scene.order(Order::Finish);
        scene.order(Order::Finish);
        assert_eq!(next.await.expect("no panic"), Ok(shows(0)));
        assert_eq!(scene.ends(), [ScrapeEnd::TimedOut, ScrapeEnd::Served]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_fails_or_panics_is_an_error_with_a_reason_and_the_next_one_is_made() {
        let scene = Scene::new();
        for (order, reason) in [
            (Order::Fail, "failed to collect metrics: no reason"),
            (Order::Panic, "failed to collect metrics: it panicked"),
        ] {
            scene.order(order);
            assert_eq!(scene.service.page(LONG).await, Err(ScrapeError::Failed(reason.to_owned())));
            assert!(!scene.service.works());
        }
        scene.order(Order::Finish);
        assert_eq!(scene.service.page(LONG).await, Ok(shows(0)));
        assert!(scene.service.works());
        assert_eq!(scene.ends(), [ScrapeEnd::Failed, ScrapeEnd::Failed, ScrapeEnd::Served]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_page_is_made_for_scrapes_that_are_gone() {
        let mut scene = Scene::new();
        let first = scene.scrape(LONG).await;
        scene.page_begins().await;
        let gone = scene.scrape(LONG).await;
        gone.abort();
        assert!(gone.await.is_err_and(|error| error.is_cancelled()));
        (0..3).for_each(|_| scene.order(Order::Finish));
        assert_eq!(first.await.expect("no panic"), Ok(shows(0)));
        // A page for nobody would be begun now; later, the next scrape would only take its place.
        drop(scene.service.sources.making.lock().await);
        yield_now().await;
        assert_eq!(scene.service.page(LONG).await, Ok(shows(0)));
        scene.page_begins().await;
        assert!(scene.begun.try_recv().is_err(), "a page was made for nobody");
        assert_eq!(scene.stage.stopped.load(SeqCst), 3);
        assert_eq!(scene.ends().len(), 2, "the one that left was not answered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_fails_or_hangs_is_absent_after_a_tenth_of_a_second() {
        let began = Instant::now();
        let hangs = answer::<()>(began + PATIENCE, std::future::pending()).await;
        assert_eq!((hangs, began.elapsed()), (None, Duration::from_millis(100)));
        let fails = async { Err::<(), _>(QueueError::new(QueueErrorKind::Unavailable, "gone")) };
        assert_eq!(answer(Instant::now() + PATIENCE, fails).await, None);
    }

    #[tokio::test]
    async fn what_failed_is_absent_from_the_snapshot_and_its_component_is_down() {
        let (mut queue, mut registry) = (MockJobQueue::new(), MockWorkerRegistry::new());
        let failure = || QueueError::new(QueueErrorKind::Unavailable, "gone");
        queue.expect_stats().returning(move || Err(failure()));
        queue.expect_check().returning(move || Err(failure()));
        registry.expect_connected().returning(|| Ok(Vec::new()));
        let exposition = Arc::new(MockMetricsExposition::new());
        let service = ScrapeService::with_fleet(exposition, Arc::new(queue), Arc::new(registry));
        let snapshot = service.sources.snapshot().await;
        let components = vec![("queue", false), ("workers", true), ("metrics", true)];
        let expected = FleetSnapshot { queue_connected: false, queue: None, workers: Some(Vec::new()), components };
        assert_eq!(snapshot, expected);
    }

    #[tokio::test]
    async fn the_figures_of_a_queue_that_cannot_be_reached_are_absent_though_a_copy_of_it_answers() {
        let (mut queue, mut registry) = (MockJobQueue::new(), MockWorkerRegistry::new());
        queue.expect_stats().returning(|| Ok(QueueStats::default()));
        queue.expect_check().returning(|| Err(QueueError::new(QueueErrorKind::Unavailable, "gone")));
        registry.expect_connected().returning(|| Ok(Vec::new()));
        let exposition = Arc::new(MockMetricsExposition::new());
        let service = ScrapeService::with_fleet(exposition, Arc::new(queue), Arc::new(registry));
        let snapshot = service.sources.snapshot().await;
        assert_eq!((snapshot.queue_connected, snapshot.queue), (false, None));
    }

    #[tokio::test]
    async fn a_process_that_only_works_asks_whether_the_queue_answers_and_nothing_else() {
        let mut queue = MockJobQueue::new();
        queue.expect_check().returning(|| Ok(()));
        let service = ScrapeService::of_worker(Arc::new(MockMetricsExposition::new()), Arc::new(queue));
        let components = vec![("queue", true), ("metrics", true)];
        let expected = FleetSnapshot { queue_connected: true, components, ..FleetSnapshot::default() };
        assert_eq!(service.sources.snapshot().await, expected);
    }
}
