//! The resource: what `target_info` says, from the variables that OpenTelemetry defines for it.
//!
//! Keys that would not make a label are rewritten or left out, because one of them would make the whole page unreadable.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use super::OtelConfig;

/// The service's name when the environment gives it none.
const SERVICE_NAME: &str = "osapi";
const SERVICE_NAME_KEY: &str = "service.name";
const SERVICE_VERSION_KEY: &str = "service.version";

/// The resource of the process; `OTEL_SERVICE_NAME` wins over the attributes.
pub(super) fn resource(config: &OtelConfig) -> Resource {
    let own =
        [KeyValue::new(SERVICE_NAME_KEY, SERVICE_NAME), KeyValue::new(SERVICE_VERSION_KEY, config.version.clone())];
    let given = config.resource_attributes.as_deref().unwrap_or_default();
    let name = config.service_name.clone().filter(|name| !name.is_empty());
    Resource::builder_empty()
        .with_attributes(own)
        .with_attributes(given.split(',').filter_map(attribute))
        .with_attributes(name.map(|name| KeyValue::new(SERVICE_NAME_KEY, name)))
        .build()
}

fn attribute(pair: &str) -> Option<KeyValue> {
    let (key, value) = pair.split_once('=')?;
    Some(KeyValue::new(label_key(key.trim())?, percent_decoded(value.trim())))
}

/// The key as something that makes a label name: dots become underscores later, anything else here. Names that begin
/// with two underscores are Prometheus's own.
fn label_key(key: &str) -> Option<String> {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    let mut name: String = key.chars().map(keep).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let reserved = name.replace('.', "_").starts_with("__");
    (!name.is_empty() && !reserved).then_some(name)
}

/// Values are percent-encoded like those of W3C baggage; what is not valid stays as it is.
fn percent_decoded(value: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (*byte == b'%').then(|| digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)))).flatten();
        if let Some(code) = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            decoded.push(code);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| value.to_owned())
}
