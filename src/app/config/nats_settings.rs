//! `job.queue.nats`: how the servers of a fleet are reached.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{scalar, settings::Conflict};

/// The NATS servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NatsSettings {
    /// Servers of one cluster.
    #[serde(deserialize_with = "urls", serialize_with = "show_urls")]
    pub url: Vec<String>,
    /// The user, together with a password.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Password>,
    /// A credentials file with a user's JWT and seed.
    pub credentials_file: Option<PathBuf>,
    /// Certificates.
    pub tls: NatsTlsSettings,
    /// Copies of everything.
    #[serde(deserialize_with = "replicas")]
    pub replicas: usize,
    /// Begins all names.
    #[serde(deserialize_with = "prefix")]
    pub prefix: String,
}

/// Certificates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NatsTlsSettings {
    /// Authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// The certificate to show.
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
}

/// A password. Neither its `Debug` form nor its serialized form shows it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The password itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(<redacted>)")
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<redacted>")
    }
}

impl NatsSettings {
    /// The keys that do not go with others, and what is expected of them.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let tls = &self.tls;
        let mut found = Vec::new();
        if self.user.is_some() != self.password.is_some() {
            let key = if self.user.is_some() { "job.queue.nats.password" } else { "job.queue.nats.user" };
            let expected =
                "expected `job.queue.nats.user` and `job.queue.nats.password`, or neither of them".to_owned();
            found.push(Conflict { key, with: &["job.queue.nats.user", "job.queue.nats.password"], expected });
        }
        if self.user.is_some() && self.credentials_file.is_some() {
            let expected = "expected either this or `job.queue.nats.user` and its password".to_owned();
            found.push(Conflict {
                key: "job.queue.nats.credentials_file",
                with: &["job.queue.nats.user", "job.queue.nats.password"],
                expected,
            });
        }
        if tls.certificate_file.is_some() != tls.key_file.is_some() {
            let given = tls.certificate_file.is_some();
            let key = if given { "job.queue.nats.tls.key_file" } else { "job.queue.nats.tls.certificate_file" };
            let with = &["job.queue.nats.tls.certificate_file", "job.queue.nats.tls.key_file"];
            let expected = "expected `certificate_file` and `key_file`, or neither of them".to_owned();
            found.push(Conflict { key, with, expected });
        }
        found
    }
}

fn urls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let urls: Vec<String> = text.split(',').map(|url| url.trim().to_owned()).collect();
    if urls.iter().all(|url| is_address(url)) {
        return Ok(urls);
    }
    let message = "expected addresses like nats://host:4222 or tls://host:4222, separated by commas; \
                   user and password have keys of their own";
    Err(D::Error::custom(message))
}

fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("nats://").or_else(|| url.strip_prefix("tls://"));
    rest.is_some_and(|authority| {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, "4222"),
        };
        let port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let name = |host: &str| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        let host = address.map_or_else(|| name(host), |host| host.parse::<std::net::Ipv6Addr>().is_ok());
        host && port
    })
}

fn show_urls<S: Serializer>(urls: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&urls.join(","))
}

/// What JetStream takes: more would not be safer, and an even number outvotes nobody.
fn replicas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    scalar::word(deserializer, &[("1", 1), ("3", 3), ("5", 5)])
}

fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fits = (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if fits { Ok(text) } else { Err(D::Error::custom("expected 1 to 32 letters, digits, '-' or '_'")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_scheme_and_a_host_and_nothing_else() {
        for url in ["nats://127.0.0.1:4222", "tls://a.example", "nats://[::1]:4222", "nats://[::1]", "nats://n-1:1"] {
            assert!(is_address(url), "{url}");
        }
        for url in
            ["", "127.0.0.1:4222", "http://a:1", "nats://", "nats://a:0", "nats://a:x", "nats://u:p@a:1", "nats://a:1/"]
        {
            assert!(!is_address(url), "{url}");
        }
    }
}
