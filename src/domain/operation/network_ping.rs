//! `network.ping`: Asks an address for echoes (ICMP) and says how many came back and how fast.

use std::{fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{Effect, Input, Spec};
use crate::domain::{BoundedNumber, Hostname, Scope, ScopedAddress};

/// Asks an address for echoes (ICMP) and says how many came back and how fast.
#[derive(Debug, Clone, Copy)]
pub struct NetworkPing;

impl Spec for NetworkPing {
    const NAME: &'static str = "network.ping";
    const SUMMARY: &'static str = "Asks an address for echoes (ICMP) and says how many came back and how fast.";
    const EFFECT: Effect = Effect::Read;
    /// It changes nothing on the host, but it sends into its network.
    const SCOPE: Scope = Scope::Write;
    type Input = Ping;
    type Output = Echoes;
}

/// How often to ask.
pub type Count = BoundedNumber<1, 20>;
/// How long to ask and listen, in seconds.
pub type TimeoutSeconds = BoundedNumber<1, 30>;

#[expect(clippy::expect_used, reason = "it is in its range")]
fn default_count() -> Count {
    Count::new(3).expect("in range")
}

#[expect(clippy::expect_used, reason = "it is in its range")]
fn default_timeout() -> TimeoutSeconds {
    TimeoutSeconds::new(5).expect("in range")
}

/// Whom to ask, how often and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Whom to ask.
    pub address: PingAddress,
    /// How many echoes to ask for: one per second, or faster where they would take more than half of the time.
    #[serde(default = "default_count")]
    pub count: Count,
    /// When to stop listening, in seconds; looking up a name counts too.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: TimeoutSeconds,
}

impl Input for Ping {
    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.timeout_seconds.get().into()))
    }
}

/// An IP address, or a hostname by RFC 1123 that the host looks up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PingAddress {
    /// An address.
    Ip(ScopedAddress),
    /// A name.
    Name(Hostname),
}

/// The text is neither an address nor a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an IPv4 or IPv6 address or a hostname, whose last part is not a number")]
pub struct InvalidPingAddress;

/// Resolvers take `127.1` and `0x7f000001` for addresses in old spellings, not for names.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let digits = |text: &str, radix| text.chars().all(|digit| digit.is_digit(radix));
    digits(&last, 10) || last.strip_prefix("0x").is_some_and(|rest| digits(rest, 16))
}

impl FromStr for PingAddress {
    type Err = InvalidPingAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        text.parse().ok().filter(|_| !ends_in_number(text)).map(Self::Name).ok_or(InvalidPingAddress)
    }
}

impl TryFrom<String> for PingAddress {
    type Error = InvalidPingAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PingAddress> for String {
    fn from(address: PingAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for PingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Parts of letters, digits and inner hyphens.
const NAME_PATTERN: &str =
    r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$";
/// The last part is a number.
const NUMBER_PATTERN: &str = r"(?:^|\.)(?:[0-9]+|0[Xx][0-9A-Fa-f]*)$";

impl JsonSchema for PingAddress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PingAddress".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An IP address, or a hostname that the host looks up.",
            "anyOf": [
                generator.subschema_for::<ScopedAddress>(),
                {
                    "type": "string",
                    "format": "hostname",
                    "maxLength": 253,
                    "pattern": NAME_PATTERN,
                    "not": { "pattern": NUMBER_PATTERN },
                },
            ],
        })
    }
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Echoes {
    /// Requests that left the host.
    pub sent: u16,
    /// Requests that were answered in time.
    pub received: u16,
    /// The part of the requests that was not: 0 to 1.
    pub loss_ratio: f64,
    /// The shortest round trip; null when nothing came back.
    pub min_seconds: Option<f64>,
    /// The average round trip; null when nothing came back.
    pub avg_seconds: Option<f64>,
    /// The longest round trip; null when nothing came back.
    pub max_seconds: Option<f64>,
}

impl Echoes {
    /// Sums up the round trips of the requests that were answered; there are at most as many as were sent.
    #[must_use]
    pub fn of(sent: u16, round_trips: &[Duration]) -> Self {
        let received = u16::try_from(round_trips.len()).unwrap_or(sent).min(sent);
        let lost = f64::from(sent - received);
        let sum: Duration = round_trips.iter().sum();
        let average = (received > 0).then(|| sum.as_secs_f64() / f64::from(received));
        let (min, max) = (round_trips.iter().min(), round_trips.iter().max());
        let (min_seconds, max_seconds) = (min.map(Duration::as_secs_f64), max.map(Duration::as_secs_f64));
        Self {
            sent,
            received,
            loss_ratio: if sent == 0 { 0.0 } else { lost / f64::from(sent) },
            min_seconds,
            // Rounding must not carry it over the edge.
            avg_seconds: average.map(|avg| avg.max(min_seconds.unwrap_or(avg)).min(max_seconds.unwrap_or(avg))),
            max_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<Ping, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn three_echoes_within_five_seconds_are_the_default() {
        let ping = read(r#"{"address":"192.0.2.1"}"#).expect("a ping");
        assert_eq!((ping.count.get(), ping.timeout(), ping.address.to_string().as_str()), (3, Some(Duration::from_secs(5)), "192.0.2.1"));
        let whole = r#"{"address":"Web-1.example","count":20,"timeout_seconds":30}"#;
        let ping = read(whole).expect("a ping");
        assert_eq!(serde_json::to_string(&ping).expect("serializes"), whole.to_ascii_lowercase());
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_is_allowed() {
        let address = "an IPv4 or IPv6 address or a hostname";
        for (json, allowed) in [
            ("{}", "missing field `address`"),
            (r#"{"address":"a","count":0}"#, "a whole number from 1 to 20"),
            (r#"{"address":"a","count":21}"#, "a whole number from 1 to 20"),
            (r#"{"address":"a","count":null}"#, "a whole number from 1 to 20"),
            (r#"{"address":"a","timeout_seconds":31}"#, "a whole number from 1 to 30"),
            (r#"{"address":"a","timeout_seconds":0}"#, "a whole number from 1 to 30"),
            (r#"{"address":"-h"}"#, address),
            (r#"{"address":"secret\u0000"}"#, address),
            (r#"{"address":"secret evil"}"#, address),
            (r#"{"address":"secret.127.1"}"#, address),
            (r#"{"address":"0x7f000001"}"#, address),
            (r#"{"address":"2130706433"}"#, address),
            (r#"{"address":"1.2.3.4/32"}"#, address),
            (r#"{"address":""}"#, address),
            (r#"{"address":"a","interval":1}"#, "unknown field"),
        ] {
            let refused = read(json).expect_err(json);
            assert!(refused.contains(allowed) && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn nothing_came_back_is_all_lost_and_null() {
        let json = serde_json::to_string(&Echoes::of(3, &[])).expect("serializes");
        let expected = concat!(
            r#"{"sent":3,"received":0,"loss_ratio":1.0,"#,
            r#""min_seconds":null,"avg_seconds":null,"max_seconds":null}"#
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn a_part_that_came_back_is_summed_up() {
        let echoes = Echoes::of(4, &[Duration::from_millis(30), Duration::from_millis(10), Duration::from_millis(20)]);
        assert_eq!((echoes.received, echoes.loss_ratio.to_string().as_str()), (3, "0.25"));
        assert_eq!([echoes.min_seconds, echoes.avg_seconds, echoes.max_seconds], [Some(0.01), Some(0.02), Some(0.03)]);
    }

    proptest! {
        #[test]
        fn the_average_lies_between_the_extremes(micros in prop::collection::vec(0_u64..10_000_000, 1..20), lost in 0_u16..20) {
            let trips: Vec<Duration> = micros.into_iter().map(Duration::from_micros).collect();
            let sent = u16::try_from(trips.len()).expect("few") + lost;
            let echoes = Echoes::of(sent, &trips);
            prop_assert!(echoes.min_seconds <= echoes.avg_seconds && echoes.avg_seconds <= echoes.max_seconds);
            prop_assert!((0.0..1.0).contains(&echoes.loss_ratio));
            prop_assert_eq!(sent - echoes.received, lost);
        }

        #[test]
        fn the_patterns_of_the_document_are_the_rule_for_names(
            text in prop_oneof!["(?s).{0,4}", "[a-z0-9.-]{0,12}", "([a-z]\\.)?0[xX][0-9a-gA-F]{0,3}", "[a]{62,65}", "[a.]{250,256}"],
        ) {
            let matches = |pattern| regex::Regex::new(pattern).expect("a pattern").is_match(&text);
            let matched = text.len() <= 253 && matches(NAME_PATTERN) && !matches(NUMBER_PATTERN);
            prop_assert_eq!(matches!(text.parse(), Ok(PingAddress::Name(_))), matched, "{:?}", text);
        }

        #[test]
        fn what_is_accepted_reads_back(text in "[0-9a-zA-Z.:%-]{0,20}") {
            if let Ok(address) = text.parse::<PingAddress>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
