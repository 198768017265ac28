//! `telemetry.metrics`: whether and where Prometheus can scrape.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::scalar;

/// Paths of the API that the metrics path can neither be nor lie below.
const OWN_PATHS: [&str; 5] = ["/api", "/health", "/openapi.json", "/openapi.yaml", "/docs"];

/// The metrics endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Whether there are any metrics.
    #[serde(deserialize_with = "scalar::boolean")]
    pub enabled: bool,
    /// The path of the page.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// A listener of its own; the API's where none is given.
    #[serde(deserialize_with = "listen")]
    pub listen: Option<SocketAddr>,
}

impl MetricsSettings {
    /// Whether the listener of its own could not be opened beside one on `other`.
    pub(super) fn collides_with(&self, other: SocketAddr) -> bool {
        self.listen.is_some_and(|own| {
            let overlap = own.ip() == other.ip() || own.ip().is_unspecified() || other.ip().is_unspecified();
            own.port() != 0 && own.port() == other.port() && overlap
        })
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if let Some(own) = OWN_PATHS.iter().find(|own| path.strip_prefix(**own).is_some_and(is_end_of_segment)) {
        return Err(D::Error::custom(format!("expected a path outside of the API's own {own}")));
    }
    if is_path(&path) {
        return Ok(path);
    }
    let message = "expected a path like /metrics: segments of letters, digits, '.', '_', '~' and '-', \
                   none of them empty, '.' or '..', and no slash at the end";
    Err(D::Error::custom(message))
}

fn is_end_of_segment(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Unreserved characters (RFC 3986 §2.3) only, so that the path has one spelling.
fn is_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
    };
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment))
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    struct Listener(SocketAddr);
    impl<'de> Deserialize<'de> for Listener {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            scalar::listener(deserializer).map(Self)
        }
    }
    Ok(Option::<Listener>::deserialize(deserializer)?.map(|listener| listener.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_collide_on_the_same_port_of_overlapping_addresses() {
        for (own, other, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "[::]:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let listen = Some(own.parse().expect("an address"));
            let settings = MetricsSettings { enabled: true, path: "/metrics".to_owned(), listen };
            assert_eq!(settings.collides_with(other.parse().expect("an address")), expected, "{own} {other}");
        }
    }
}
