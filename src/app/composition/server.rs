//! The process of `osapi start`: the API, one worker and the queue between them.

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::{
    addresses::Addresses,
    metrics::Metrics,
    queue::{Queue, info},
    signing_key::signing_key,
    start_error::StartError,
};
use crate::{
    adapters::{
        auth::{JwtAuthenticator, signing_key::load_or_create},
        clock::{SystemClock, UuidJobIds},
        executor::{HostExecutor, HostExecutorConfig},
        http::{App, HttpParts, HttpSettings, ServeLimits, api, metrics_only, routes, serve},
    },
    app::{
        config::Settings,
        services::{
            HealthService, JobService, JobServiceParts, ScrapeService, WorkerParts, WorkerProfile, WorkerService,
            WorkersService,
        },
    },
    domain::InstanceId,
    ports::{
        driven::{Clock, HttpMetrics, JobIds},
        driving::Scrape,
    },
};

/// A process that listens, works, and has everything open.
pub struct Server {
    addresses: Addresses,
    queue: Queue,
    /// What runs until the stop.
    tasks: JoinSet<()>,
}

impl Server {
    /// Opens and connects everything, and begins to serve and to work, until `stopping` turns `true`.
    ///
    /// `env` looks up variables of the environment that are not configuration keys.
    ///
    /// # Errors
    /// What cannot be opened; then nothing is left running.
    pub async fn start(
        settings: &Settings,
        env: impl Fn(&str) -> Option<String>,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let listener = listen("api.server.port", settings.api.server.address()).await?;
        let metrics_settings = &settings.telemetry.metrics;
        let metrics_listener = match metrics_settings.listen.filter(|_| metrics_settings.enabled) {
            Some(address) => Some(listen("telemetry.metrics.listen", address).await?),
            None => None,
        };
        let addresses = addresses(settings, &listener, metrics_listener.as_ref())?;
        let http = http_settings(settings, metrics_listener.is_some().then_some(&addresses));

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Metrics::choose(metrics_settings, routes(&http), info(settings), env)?;
        let authenticator = Arc::new(JwtAuthenticator::new(&signing_key(settings, load_or_create)?));
        let queue = Queue::open(settings, Arc::clone(&clock), &metrics).await?;

        let scrape = metrics.on.clone().map(|on| {
            let (jobs, registry) = (Arc::clone(&queue.jobs), Arc::clone(&queue.registry));
            Arc::new(ScrapeService::with_fleet(on, jobs, registry)) as Arc<dyn Scrape>
        });
        let worker = worker(settings, &queue, &metrics, &clock).await?;
        let http_metrics = metrics.on.clone().map(|on| on as Arc<dyn HttpMetrics>);
        let own_page = match metrics_listener {
            Some(listener) => {
                scrape.clone().map(|scrape| (listener, metrics_only(&http, scrape, http_metrics.clone())))
            }
            None => None,
        };
        let parts = HttpParts {
            jobs: Arc::new(JobService::new(JobServiceParts {
                queue: Arc::clone(&queue.jobs),
                registry: Arc::clone(&queue.registry),
                metrics: Arc::clone(&metrics.port),
                clock,
                ids: Arc::new(UuidJobIds),
                defaults: (&settings.job.defaults).into(),
                stopping: stopping.clone(),
            })),
            workers: Arc::new(WorkersService::new(Arc::clone(&queue.registry))),
            health: Arc::new(HealthService::new(
                Arc::clone(&queue.jobs),
                Arc::clone(&queue.registry),
                env!("CARGO_PKG_VERSION"),
            )),
            scrape: scrape.filter(|_| own_page.is_none()),
            metrics: http_metrics,
            authenticator,
        };

        let mut tasks = JoinSet::new();
        tasks.spawn(worker.work(stopping.clone()));
        let mut serve_on = |listener: TcpListener, app: App| {
            tasks.spawn(serve(listener, app, ServeLimits::default(), stopping.clone()));
        };
        if let Some((listener, page)) = own_page {
            serve_on(listener, page);
        }
        serve_on(listener, api(&http, parts));
        Ok(Self { addresses, queue, tasks })
    }

    /// Where it can be reached.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Runs until the stop, and closes everything.
    ///
    /// # Errors
    /// When a part of it ends by a bug; the rest is closed then.
    pub async fn run(mut self) -> Result<(), StartError> {
        let mut ended = Ok(());
        while let Some(part) = self.tasks.join_next().await {
            if part.is_err() {
                ended = Err(StartError::Panicked);
                self.tasks.abort_all();
            }
        }
        self.queue.close().await;
        ended
    }
}

/// A worker that has joined the fleet.
async fn worker(
    settings: &Settings,
    queue: &Queue,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
) -> Result<WorkerService, StartError> {
    let worker = &settings.job.worker;
    let executor = HostExecutor::new(HostExecutorConfig {
        allowed_commands: worker.commands.allow.clone(),
        ..HostExecutorConfig::new(worker.hostname.clone(), worker.labels.clone())
    });
    let joined = WorkerService::join(WorkerParts {
        queue: Arc::clone(&queue.jobs),
        registry: Arc::clone(&queue.registry),
        executor: Arc::new(executor),
        metrics: Arc::clone(&metrics.port),
        clock: Arc::clone(clock),
        profile: WorkerProfile {
            hostname: worker.hostname.clone(),
            instance: InstanceId(UuidJobIds.next().as_uuid()),
            labels: worker.labels.clone(),
            slots: worker.slots,
            grace: worker.grace,
            lease: settings.job.defaults.lease,
            version: env!("CARGO_PKG_VERSION"),
        },
    });
    Ok(joined.await?)
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { key, address, source })
}

fn addresses(settings: &Settings, api: &TcpListener, metrics: Option<&TcpListener>) -> Result<Addresses, StartError> {
    let of = |listener: &TcpListener| {
        listener.local_addr().map_err(|source| StartError::System { what: "see what is listened on", source })
    };
    let page = of(metrics.unwrap_or(api))?;
    let path = settings.telemetry.metrics.path.clone();
    let metrics = settings.telemetry.metrics.enabled.then_some((page, path));
    Ok(Addresses { api: of(api)?, metrics })
}

fn http_settings(settings: &Settings, own_listener: Option<&Addresses>) -> HttpSettings {
    let server = &settings.api.server;
    HttpSettings {
        metrics_path: settings.telemetry.metrics.path.clone(),
        metrics_listen: own_listener.and_then(|addresses| Some(addresses.metrics.as_ref()?.0)),
        body_limit: usize::try_from(server.limits.body).unwrap_or(usize::MAX),
        allow_origins: server.security.cors.allow_origins.clone(),
    }
}
