//! `api.server`: where the API listens and what it accepts.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{SecuritySettings, scalar};

/// The API's listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// The address to listen on.
    #[serde(deserialize_with = "host")]
    pub host: IpAddr,
    /// The port to listen on; 0 for any free one.
    #[serde(deserialize_with = "scalar::whole::<_, _, 0, 65_535>")]
    pub port: u16,
    /// What requests may cost.
    pub limits: LimitsSettings,
    /// Who may call.
    pub security: SecuritySettings,
}

/// What requests may cost.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSettings {
    /// Largest request body, in bytes.
    #[serde(deserialize_with = "scalar::bytes::<_, 1024, 0x400_0000>", serialize_with = "scalar::show_bytes")]
    pub body: u64,
    /// Connections at the same time.
    #[serde(deserialize_with = "scalar::whole::<_, _, 16, 1_000_000>")]
    pub connections: usize,
    /// Requests that wait for a job at the same time.
    #[serde(deserialize_with = "scalar::whole::<_, _, 0, 1_000_000>")]
    pub waits: usize,
    /// Of them, those of one subject.
    #[serde(deserialize_with = "scalar::whole::<_, _, 0, 1_000_000>")]
    pub waits_per_subject: usize,
    /// Time to send the head of a request.
    #[serde(deserialize_with = "scalar::duration::<_, 1, 3600>", serialize_with = "scalar::show_duration")]
    pub head_time: Duration,
    /// Time between two requests of a connection.
    #[serde(deserialize_with = "scalar::duration::<_, 1, 86_400>", serialize_with = "scalar::show_duration")]
    pub idle_time: Duration,
    /// Time for which an answer may make no progress.
    #[serde(deserialize_with = "scalar::duration::<_, 1, 3600>", serialize_with = "scalar::show_duration")]
    pub answer_time: Duration,
}

impl ServerSettings {
    /// Address and port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

/// Names are not looked up: what a process listens on must not depend on a resolver.
fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        text => text.parse().map_err(|_| D::Error::custom("expected an IP address or localhost")),
    }
}
