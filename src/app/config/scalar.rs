//! How single values are written, one parser for each kind, used through `deserialize_with` and `serialize_with`.
//!
//! All values arrive as text. Each error says what is allowed and leaves the value to the caller, who knows whether it
//! may be shown.

use std::{net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// A whole number in plain decimal digits, from `MIN` to `MAX`.
pub(super) fn whole<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let text = String::deserialize(deserializer)?;
    let plain = text == "0" || !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| plain && (MIN..=MAX).contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| D::Error::custom(format!("expected a whole number from {MIN} to {MAX}")))
}

/// `true` or `false`.
pub(super) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(D::Error::custom("expected true or false")),
    }
}

/// A time with a unit, from `MIN` to `MAX` seconds.
pub(super) fn duration<'de, D, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    let (min, max) = (Duration::from_secs(MIN), Duration::from_secs(MAX));
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).ok().filter(|duration| (min..=max).contains(duration)).ok_or_else(|| {
        let range = format!("{} to {}", duration_text(min), duration_text(max));
        D::Error::custom(format!("expected a duration from {range}, written like 500ms, 30s, 24h or 7d"))
    })
}

/// A number of bytes, from `MIN` to `MAX`.
pub(super) fn bytes<'de, D, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<u64, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let size = text.parse::<ByteSize>().ok().map(|size| size.as_u64());
    size.filter(|size| (MIN..=MAX).contains(size)).ok_or_else(|| {
        let range = format!("{} to {}", bytes_text(MIN), bytes_text(MAX));
        D::Error::custom(format!("expected a size from {range}, written like 512KiB, 1MiB, 4GiB or in bytes"))
    })
}

/// An address to listen on.
pub(super) fn listener<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = numeric.as_deref().unwrap_or(&text).parse();
    address.map_err(|_| D::Error::custom("expected an IP address and a port, like 127.0.0.1:9464 or [::]:9464"))
}

/// One of a few words.
pub(super) fn word<'de, D: Deserializer<'de>, T: Copy>(deserializer: D, words: &[(&str, T)]) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        D::Error::custom(format!("expected {}", words.join(" or ")))
    })
}

/// A duration the way it is read.
pub(super) fn show_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&duration_text(*duration))
}

/// A number of bytes the way it is read.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serialize_with asks for")]
pub(super) fn show_bytes<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&bytes_text(*bytes))
}

/// In the largest unit that needs no fraction: `90s` and not `1.5m`. One day is `24h`, as people write it.
fn duration_text(duration: Duration) -> String {
    const UNITS: [(u128, &str); 6] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1, "ns"),
    ];
    let nanos = duration.as_nanos();
    let fits = |size: u128, unit: &str| nanos != 0 && nanos.is_multiple_of(size) && (unit != "d" || nanos > size);
    let (size, unit) = UNITS.into_iter().find(|(size, unit)| fits(*size, unit)).unwrap_or((1, "s"));
    format!("{}{unit}", nanos / size)
}

fn bytes_text(bytes: u64) -> String {
    const UNITS: [(u32, &str); 5] = [(50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = |shift: &u32| bytes != 0 && bytes.trailing_zeros() >= *shift;
    UNITS
        .into_iter()
        .find(|(shift, _)| whole(shift))
        .map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_shown_the_way_they_are_read() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(1_500), "1500ms"),
            (Duration::from_secs(90), "90s"),
            (Duration::from_hours(24), "24h"),
            (Duration::from_hours(48), "2d"),
            (Duration::from_nanos(7), "7ns"),
        ] {
            assert_eq!(duration_text(duration), text);
            assert_eq!(humantime::parse_duration(text), Ok(duration));
        }
        for (bytes, text) in [(0, "0"), (1_000, "1000"), (1 << 20, "1MiB"), (3 << 29, "1536MiB"), (1 << 50, "1PiB")] {
            assert_eq!(bytes_text(bytes), text);
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
    }
}
