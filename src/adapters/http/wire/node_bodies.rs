//! Bodies of typed calls: the inputs of operations as they are, less what stands in the path.

use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::{
    body::ReadBody,
    object::{check_json, read_body, read_object, required_of},
};
use crate::{
    adapters::http::problem::ApiError,
    domain::{
        InterfaceName,
        operation::{command_exec::CommandInput, network_dns_update::DnsChange, network_ping::Ping},
    },
};

impl ReadBody for CommandInput {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        read_body(bytes)
    }
}

impl ReadBody for Ping {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        read_body(bytes)
    }
}

/// A change of name servers without its interface, which stands in the path.
pub(in crate::adapters::http) struct DnsChangeBody(DnsChange);

/// The field that stands in the path.
const IN_PATH: &str = "interface";
/// Stands for it until then: the loopback interface.
const ANY: &str = "lo";

impl DnsChangeBody {
    /// The change of this interface.
    pub(in crate::adapters::http) fn of(self, interface: InterfaceName) -> DnsChange {
        DnsChange { interface, ..self.0 }
    }
}

impl ReadBody for DnsChangeBody {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        check_json(bytes)?;
        let change = PhantomData::<DnsChange>;
        let read = read_object(&with_interface(bytes), "", change, change, required_of::<DnsChange>);
        read.map(Self).map_err(|mut errors| {
            for error in errors.iter_mut().filter(|error| error.field == IN_PATH) {
                "it stands in the path".clone_into(&mut error.message);
            }
            ApiError::fields(errors)
        })
    }
}

/// The body as if it named an interface too.
fn with_interface(bytes: &[u8]) -> Vec<u8> {
    let Some(rest) = bytes.trim_ascii().strip_prefix(b"{") else { return bytes.to_vec() };
    let separator = if rest.trim_ascii_start().starts_with(b"}") { "" } else { "," };
    [format!("{{\"{IN_PATH}\":\"{ANY}\"{separator}").as_bytes(), rest].concat()
}

impl JsonSchema for DnsChangeBody {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DnsChangeBody".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = DnsChange::json_schema(generator);
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.remove(IN_PATH);
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name != IN_PATH);
        }
        schema
    }
}
