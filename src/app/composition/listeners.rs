//! The listeners of a process, opened before anything else, so that a port in use costs nothing.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{addresses::Addresses, role::Role, start_error::StartError};
use crate::app::config::Settings;

/// What is listened on.
pub(super) struct Listeners {
    /// The API's, or that of a process that only works.
    pub(super) main: TcpListener,
    /// The one of the metrics page, where it has its own.
    pub(super) metrics: Option<TcpListener>,
    pub(super) addresses: Addresses,
}

impl Listeners {
    pub(super) async fn open(settings: &Settings, role: Role) -> Result<Self, StartError> {
        let page = &settings.telemetry.metrics;
        let main = if role.serves() {
            listen("api.server.port", settings.api.server.address()).await?
        } else {
            listen("job.worker.listen", settings.job.worker.listen).await?
        };
        let metrics = match page.listen.filter(|_| page.enabled && role.serves()) {
            Some(address) => Some(listen("telemetry.metrics.listen", address).await?),
            None => None,
        };
        let shown = local(metrics.as_ref().unwrap_or(&main))?;
        let addresses = Addresses { main: local(&main)?, metrics: page.enabled.then(|| (shown, page.path.clone())) };
        Ok(Self { main, metrics, addresses })
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { key, address, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::System { what: "see what is listened on", source })
}
