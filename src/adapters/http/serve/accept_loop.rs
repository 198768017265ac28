//! The accept loop: takes clients as long as there are places, and makes room for them when there are none.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    ServeLimits,
    connection::{Ends, connection},
    connection_state::{ConnectionState, Crowd},
    connection_table::ConnectionTable,
};
use crate::{
    adapters::http::app::App,
    ports::driven::{HttpMetrics, Limit},
};

/// Waits after an accept that failed: when there are no file descriptors left, trying at once would only spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Failures of accept are logged no more often than this.
const LOG_AGAIN: Duration = Duration::from_secs(10);
/// While a client waits for a place and all connections run requests, they are looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Serves until `stopping` turns `true`, then lets running requests finish. What the limits end is counted in `metrics`.
pub async fn serve(
    listener: TcpListener,
    app: App,
    limits: ServeLimits,
    metrics: Option<Arc<dyn HttpMetrics>>,
    mut stopping: watch::Receiver<bool>,
) {
    let local = listener.local_addr().ok();
    let mut served = Served::new(metrics);
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = served.one_ended() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() > LOG_AGAIN) {
                    tracing::warn!(%error, "cannot accept connections, trying again");
                    logged = Some(Instant::now());
                }
                // It may be for want of a file descriptor.
                served.table.make_room();
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let placed = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => false,
            () = served.place(limits.connections) => true,
        };
        if !placed {
            break;
        }
        served.begin(stream, Ends { local: local.unwrap_or(peer), peer }, &app, limits);
    }
    drop(listener);
    served.table.stop();
    if timeout(limits.drain, served.all_ended()).await.is_err() {
        tracing::warn!(connections = served.table.len(), "requests still run, abandoning them");
    }
    served.tasks.shutdown().await;
}

/// The connections that are being served.
struct Served {
    crowd: Arc<Crowd>,
    table: ConnectionTable,
    tasks: JoinSet<Option<Limit>>,
    metrics: Option<Arc<dyn HttpMetrics>>,
}

impl Served {
    fn new(metrics: Option<Arc<dyn HttpMetrics>>) -> Self {
        let crowd = Crowd::new();
        Self { table: ConnectionTable::new(Arc::clone(&crowd)), crowd, tasks: JoinSet::new(), metrics }
    }

    fn begin(&mut self, stream: TcpStream, ends: Ends, app: &App, limits: ServeLimits) {
        let state = ConnectionState::new(Arc::clone(&self.crowd));
        let task = self.tasks.spawn(connection(stream, ends, Arc::clone(app), limits, Arc::clone(&state)));
        self.table.insert(task.id(), state);
    }

    /// Waits for the end of a connection.
    async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, limit))) => {
                self.table.remove(id);
                if let Some(limit) = limit {
                    self.reached(limit);
                }
            }
            Some(Err(error)) => self.table.remove(error.id()),
            None => std::future::pending().await,
        }
    }

    async fn all_ended(&mut self) {
        while self.table.len() > 0 {
            self.one_ended().await;
        }
    }

    /// Waits until there is a place for one connection more; an idle one gives way.
    async fn place(&mut self, places: usize) {
        while self.table.len() >= places {
            // Before the look, so that no connection that becomes idle after it is missed.
            self.crowd.set_crowded(true);
            let made = self.table.make_room();
            if made {
                self.reached(Limit::Connections);
            }
            let crowd = Arc::clone(&self.crowd);
            tokio::select! {
                biased;
                () = self.one_ended() => {}
                () = crowd.changed(), if !made => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
        self.crowd.set_crowded(false);
    }

    fn reached(&self, limit: Limit) {
        if let Some(metrics) = &self.metrics {
            metrics.limit_reached(limit);
        }
    }
}
