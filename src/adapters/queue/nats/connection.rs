//! How a connection is made, what its failures mean, and what is heard of it while it is there.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use async_nats::{ConnectOptions, Event, ServerError};
use tokio::sync::watch;

use super::{
    config::NatsServer,
    connect_error::ConnectError,
    denials::Denials,
    link::{Connected, START},
};
use crate::ports::driven::MetricsPort;

/// A frozen server is noticed after two of these.
const PING: Duration = Duration::from_secs(5);
/// Longest pause between attempts to connect again.
const RECONNECT: Duration = Duration::from_millis(500);

/// What the client is told.
pub(super) async fn options(server: &NatsServer) -> Result<ConnectOptions, ConnectError> {
    let mut options = ConnectOptions::new()
        .name(format!("osapi {}", env!("CARGO_PKG_VERSION")))
        .ping_interval(PING)
        .connection_timeout(START)
        .subscription_capacity(8_192)
        .reconnect_delay_callback(|attempt| {
            RECONNECT.min(Duration::from_millis(25 * u64::try_from(attempt).unwrap_or(u64::MAX).min(100)))
        });
    if let Some((user, password)) = &server.user {
        options = options.user_and_password(user.clone(), password.clone());
    }
    if let Some(path) = &server.credentials_file {
        let file = |source| ConnectError::File { path: path.clone(), source };
        options = options.credentials_file(path).await.map_err(file)?;
    }
    let files = [&server.tls.ca_file]
        .into_iter()
        .flatten()
        .chain(server.tls.certificate.iter().flat_map(|(certificate, key)| [certificate, key]));
    for path in files {
        std::fs::File::open(path).map_err(|source| ConnectError::File { path: path.clone(), source })?;
    }
    if let Some(authority) = &server.tls.ca_file {
        options = options.add_root_certificates(authority.clone()).require_tls(true);
    }
    if let Some((certificate, key)) = &server.tls.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
    }
    Ok(options)
}

/// What it means that a server cannot be connected to; `shown`: the connection said whose it is.
pub(super) fn refusal(error: &async_nats::ConnectError, servers: String, shown: bool) -> ConnectError {
    use async_nats::ConnectErrorKind as Kind;
    // The client wraps what the last server said.
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        detail = inner.to_string();
        source = inner.source();
    }
    let denied = detail.to_lowercase().contains("authorization");
    match error.kind() {
        Kind::Authentication | Kind::AuthorizationViolation if shown => ConnectError::Refused { servers },
        _ if denied && shown => ConnectError::Refused { servers },
        Kind::Authentication | Kind::AuthorizationViolation => ConnectError::NoCredentials { servers },
        _ if denied => ConnectError::NoCredentials { servers },
        Kind::Tls => ConnectError::Tls { servers, detail },
        _ if is_about_tls(&detail) => ConnectError::Tls { servers, detail },
        _ => ConnectError::Unreachable { servers, detail },
    }
}

/// Whether it is TLS that failed. What the other side says of our certificate comes when the connection is already
/// made, as an error of reading.
fn is_about_tls(detail: &str) -> bool {
    let detail = detail.to_lowercase();
    ["certificate", "fatal alert", "corrupt message", "handshake"].iter().any(|words| detail.contains(words))
}

/// Notes what happens to the connection, in one log line per change.
pub(super) fn hear(
    event: &Event,
    state: &watch::Sender<Connected>,
    denials: &Denials,
    metrics: &dyn MetricsPort,
    closing: &AtomicBool,
) {
    match event {
        Event::Connected => {
            let again = state.borrow().times > 0;
            state.send_modify(|state| {
                let away = if again { state.since.elapsed() } else { Duration::ZERO };
                *state = Connected { times: state.times + 1, now: true, since: Instant::now(), away };
            });
            if again {
                metrics.queue_reconnected();
                tracing::info!("the NATS server can be reached again");
            }
        }
        Event::Disconnected if !closing.load(Ordering::SeqCst) => {
            if state.send_if_modified(|state| {
                std::mem::replace(state, Connected { now: false, since: Instant::now(), ..*state }).now
            }) {
                tracing::warn!("the NATS server cannot be reached, trying again until it can");
            }
        }
        Event::ServerError(ServerError::Other(said)) if denials.hear(said) => {}
        other => tracing::debug!(event = %other, "the connection to the NATS server"),
    }
}
