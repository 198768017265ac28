//! `api.server.security`: the secret behind tokens, and the browser origins that may call.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::scalar;
use crate::adapters::auth::signing_key::is_weak;

/// Shortest signing key in bytes: the output size of SHA-256, as RFC 7518 §3.2 asks of HS256.
const MIN_KEY_BYTES: usize = 32;

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecuritySettings {
    /// What tokens are signed with; without it, the key file in the data directory is.
    pub signing_key: Option<SigningKey>,
    /// How far the clock of a token's issuer may be ahead.
    #[serde(deserialize_with = "scalar::duration::<_, 0, 600>", serialize_with = "scalar::show_duration")]
    pub clock_skew: Duration,
    /// Calls from browsers.
    pub cors: CorsSettings,
}

/// Calls from browsers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins that may call, spelled as browsers send them (RFC 6454 §6.2).
    #[serde(deserialize_with = "origins")]
    pub allow_origins: Vec<String>,
}

/// A secret that signs tokens. Neither its `Debug` form nor its serialized form shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// The secret itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(<redacted>)")
    }
}

impl<'de> Deserialize<'de> for SigningKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let secret = String::deserialize(deserializer)?.into_bytes();
        if secret.len() < MIN_KEY_BYTES {
            let message = format!("expected at least {MIN_KEY_BYTES} bytes, it has {}", secret.len());
            return Err(D::Error::custom(message));
        }
        if is_weak(&secret) {
            let message = "expected a secret that cannot be guessed, it has few different bytes: \
                           `head -c 48 /dev/urandom | base64 -w 0` prints one";
            return Err(D::Error::custom(message));
        }
        Ok(Self(secret))
    }
}

impl Serialize for SigningKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<redacted>")
    }
}

fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let origins = Vec::<String>::deserialize(deserializer)?;
    if origins.iter().all(|origin| is_origin(origin)) {
        return Ok(origins);
    }
    let message = "expected origins like https://ops.example:8443: http or https, a host in lower case, \
                   perhaps a port, no path and no wildcard";
    Err(D::Error::custom(message))
}

/// Browsers send origins in lower case and without a path; anything else would never match.
fn is_origin(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let has_port = !authority.ends_with(']') && authority.contains(':');
    let (host, port) = if has_port { authority.rsplit_once(':').unwrap_or_default() } else { (authority, "1") };
    let is_name = !host.is_empty()
        && host.split('.').all(|label| !label.is_empty())
        && host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte));
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    (is_name || is_address) && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        for text in
            ["https://ops.example", "http://localhost:3000", "https://[::1]:8443", "http://[::1]", "http://10.0.0.1"]
        {
            assert!(is_origin(text), "{text}");
        }
        for text in [
            "*",
            "null",
            "",
            "ops.example",
            "https://",
            "https://ops.example/",
            "https://ops.example/x",
            "HTTPS://ops.example",
            "https://Ops.example",
            "https://ops.example:0",
            "https://ops.example:99999",
            "https://ops.example:",
            "https://a b",
            "https://user@ops.example",
            "https://*.example",
            "https://exämple.de",
            "ftp://ops.example",
            "https://a..b",
            "https://[x]",
            "https://a:+80",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
