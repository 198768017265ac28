//! A process: the API, a worker, or both, and the queue between them and the rest of the fleet.

use std::sync::Arc;

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::{
    addresses::Addresses,
    data_dir,
    listeners::{Listener, Listeners},
    metrics::Metrics,
    queue::{Queue, info},
    role::Role,
    signing_key::signing_key,
    start_error::StartError,
    surroundings::Surroundings,
};
use crate::{
    adapters::{
        auth::{JwtAuthenticator, signing_key::load_or_create},
        clock::{SystemClock, UuidJobIds},
        executor::{HostExecutor, HostExecutorConfig, Launcher},
        http::{
            App, DescriptorRoom, HttpParts, HttpSettings, ServeLimits, WorkerHttpParts, api, metrics_only, routes,
            serve, worker_pages,
        },
    },
    app::{
        boot::Inherited,
        config::Settings,
        services::{
            HealthService, JobService, JobServiceParts, ScrapeService, WorkerParts, WorkerProfile, WorkerService,
            WorkersService,
        },
        version::VERSION,
    },
    domain::InstanceId,
    ports::{
        driven::{Authenticator, Clock, Durability, HttpMetrics, JobIds},
        driving::Scrape,
    },
};

/// A process that listens, serves or works, and has everything open.
pub struct Server {
    addresses: Addresses,
    queue: Queue,
    /// What runs until the stop.
    tasks: JoinSet<()>,
}

impl Server {
    /// Opens and connects everything, and begins to serve and to work, until `stopping` turns `true`.
    ///
    /// # Errors
    /// What cannot be opened, or that the stop came first; then nothing is left running.
    pub async fn start(
        settings: &Settings,
        role: Role,
        surroundings: Surroundings<'_>,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let Listeners { main, metrics: page, addresses } = Listeners::open(settings, role)?;
        if role.serves() {
            data_dir::prepare(&settings.data_dir)?;
        }
        let http = http_settings(settings, page.is_some().then_some(&addresses));

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Metrics::choose(&settings.telemetry.metrics, routes(&http), info(settings), &surroundings)?;
        let authenticator: Option<Arc<dyn Authenticator>> = match role {
            Role::Worker => None,
            Role::Whole | Role::Api => {
                let key = signing_key(settings, load_or_create)?;
                Some(Arc::new(JwtAuthenticator::new(&key, settings.api.server.security.clock_skew)))
            }
        };
        let mut stop = stopping.clone();
        let queue = tokio::select! {
            biased;
            opened = Queue::open(settings, role, Arc::clone(&clock), &metrics) => opened?,
            // It may have to wait for somebody else, and nothing has begun that would have to end.
            _ = stop.wait_for(|stop| *stop) => return Err(StartError::Stopped),
        };

        let scrape = scrape(role, &queue, &metrics);
        let http_metrics = metrics.on.clone().map(|on| on as Arc<dyn HttpMetrics>);
        let listened = main.listen().and_then(|main| Ok((main, page.map(Listener::listen).transpose()?)));
        let (main, page) = match listened {
            Ok(listened) => listened,
            Err(error) => {
                queue.close().await;
                return Err(error);
            }
        };
        let mut tasks = JoinSet::new();
        // Without a worker there is no membership that could be lost.
        let mut membership = watch::channel(None).1;
        if role.works() {
            match worker(settings, surroundings.inherited, &queue, &metrics, &clock).await {
                Ok(worker) => {
                    membership = worker.membership();
                    tasks.spawn(worker.work(stopping.clone()));
                }
                Err(error) => {
                    queue.close().await;
                    return Err(error);
                }
            }
        }
        let mut room = DescriptorRoom::of_process();
        let mut serve_on = |listener: TcpListener, app: App, connections: usize| {
            let limits = ServeLimits { connections, ..serve_limits(settings) };
            tasks.spawn(serve(listener, app, limits, http_metrics.clone(), stopping.clone()));
        };
        let mut on_main = scrape.clone();
        if let (Some(listener), Some(scrape)) = (page, on_main.take_if(|_| addresses.is_apart())) {
            let connections = room.take_part(PAGE_CONNECTIONS);
            serve_on(listener, metrics_only(&http, scrape, http_metrics.clone()), connections);
        }
        let app = match authenticator {
            None => worker_pages(
                &http,
                WorkerHttpParts {
                    health: Arc::new(HealthService::of_worker(Arc::clone(&queue.jobs), membership, scrape, VERSION)),
                    scrape: on_main,
                    metrics: http_metrics.clone(),
                },
            ),
            Some(authenticator) => {
                let (jobs, registry) = (Arc::clone(&queue.jobs), Arc::clone(&queue.registry));
                let parts = HttpParts {
                    jobs: Arc::new(JobService::new(JobServiceParts {
                        queue: Arc::clone(&jobs),
                        registry: Arc::clone(&registry),
                        metrics: Arc::clone(&metrics.port),
                        ids: Arc::new(UuidJobIds),
                        defaults: (&settings.job.defaults).into(),
                        stopping: stopping.clone(),
                    })),
                    workers: Arc::new(WorkersService::new(Arc::clone(&registry))),
                    health: Arc::new(HealthService::with_fleet(jobs, registry, scrape, VERSION)),
                    scrape: on_main,
                    metrics: http_metrics.clone(),
                    authenticator,
                };
                api(&http, parts)
            }
        };
        serve_on(main, app, room.take(settings.api.server.limits.connections));
        Ok(Self { addresses, queue, tasks })
    }

    /// Where it can be reached.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What survives of what was acknowledged.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.queue.jobs.info().durability
    }

    /// Runs until the stop, and closes everything.
    ///
    /// # Errors
    /// When a part of it ends by a bug; the rest is closed then.
    pub async fn run(mut self) -> Result<(), StartError> {
        let mut ended = Ok(());
        loop {
            let failed = tokio::select! {
                part = self.tasks.join_next() => match part {
                    Some(part) => part.is_err(),
                    None => break,
                },
                () = self.queue.failed(), if ended.is_ok() => true,
            };
            if failed {
                ended = Err(StartError::Panicked);
                self.tasks.abort_all();
            }
        }
        self.queue.close().await;
        ended
    }
}

/// Connections of a listener that only serves the metrics page: scrapers are few.
const PAGE_CONNECTIONS: usize = 256;

/// The metrics page, where metrics are on: of the fleet in a process that serves, of itself in one that only works.
fn scrape(role: Role, queue: &Queue, metrics: &Metrics) -> Option<Arc<dyn Scrape>> {
    let on = metrics.on.clone()?;
    let jobs = Arc::clone(&queue.jobs);
    Some(Arc::new(if role.serves() {
        ScrapeService::with_fleet(on, jobs, Arc::clone(&queue.registry))
    } else {
        ScrapeService::of_worker(on, jobs)
    }))
}

/// A worker that has joined the fleet.
async fn worker(
    settings: &Settings,
    inherited: Inherited,
    queue: &Queue,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
) -> Result<WorkerService, StartError> {
    let worker = &settings.job.worker;
    let executor = HostExecutor::new(HostExecutorConfig {
        allowed_commands: worker.commands.allow.clone(),
        largest_record: queue.largest_record(),
        launcher: Launcher { open_files: inherited.open_files, umask: inherited.umask, ..Launcher::default() },
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
            version: VERSION,
        },
    });
    Ok(joined.await?)
}

fn http_settings(settings: &Settings, own_listener: Option<&Addresses>) -> HttpSettings {
    let server = &settings.api.server;
    HttpSettings {
        metrics_path: settings.telemetry.metrics.path.clone(),
        metrics_listen: own_listener.and_then(|addresses| Some(addresses.metrics.as_ref()?.0)),
        body_limit: usize::try_from(server.limits.body).unwrap_or(usize::MAX),
        waits: server.limits.waits,
        waits_per_subject: server.limits.waits_per_subject,
        allow_origins: server.security.cors.allow_origins.clone(),
    }
}

/// What a listener allows, but for its number of connections.
fn serve_limits(settings: &Settings) -> ServeLimits {
    let limits = &settings.api.server.limits;
    ServeLimits {
        head_time: limits.head_time,
        idle_time: limits.idle_time,
        answer_time: limits.answer_time,
        ..ServeLimits::default()
    }
}
