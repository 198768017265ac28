//! The addresses of a process: taken before anything else, so that a port in use costs nothing, and listened on when there
//! is somebody to answer. Until then connections are refused, and nobody waits for an answer that does not come.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use super::{addresses::Addresses, role::Role, start_error::StartError};
use crate::app::config::Settings;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What will be listened on.
pub(super) struct Listeners {
    /// The API's, or that of a process that only works.
    pub(super) main: Listener,
    /// The one of the metrics page, where it has its own.
    pub(super) metrics: Option<Listener>,
    pub(super) addresses: Addresses,
}

/// An address that is ours.
pub(super) struct Listener {
    key: &'static str,
    address: SocketAddr,
    socket: TcpSocket,
}

impl Listeners {
    pub(super) fn open(settings: &Settings, role: Role) -> Result<Self, StartError> {
        let page = &settings.telemetry.metrics;
        let main = if role.serves() {
            Listener::take("api.server.port", settings.api.server.address())?
        } else {
            Listener::take("job.worker.listen", settings.job.worker.listen)?
        };
        let metrics = match page.listen.filter(|_| page.enabled && role.serves()) {
            Some(address) => Some(Listener::take("telemetry.metrics.listen", address)?),
            None => None,
        };
        let shown = metrics.as_ref().unwrap_or(&main).address;
        let addresses = Addresses { main: main.address, metrics: page.enabled.then(|| (shown, page.path.clone())) };
        Ok(Self { main, metrics, addresses })
    }
}

impl Listener {
    fn take(key: &'static str, address: SocketAddr) -> Result<Self, StartError> {
        let refused = |source| StartError::Listen { key, address, source };
        let socket = bound(address).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Self { key, address, socket })
    }

    /// Accepts connections from now on.
    pub(super) fn listen(self) -> Result<TcpListener, StartError> {
        let Self { key, address, socket } = self;
        socket.listen(BACKLOG).map_err(|source| StartError::Listen { key, address, source })
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of a process before may linger; one that still listens is refused all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
