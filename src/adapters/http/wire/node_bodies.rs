//! Bodies of typed calls: the inputs of operations as they are, less what stands in the path.

use std::marker::PhantomData;

use poem::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{body::ReadBody, object::read_object};
use crate::{
    adapters::http::problem::ApiError,
    domain::{
        InterfaceName,
        operation::{command_exec::CommandInput, network_dns_update::DnsChange, network_ping::Ping},
    },
};

impl ReadBody for CommandInput {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        read_object(bytes, "", PhantomData)
    }
}

impl ReadBody for Ping {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        read_object(bytes, "", PhantomData)
    }
}

/// A change of name servers without its interface, which stands in the path.
pub(in crate::adapters::http) struct DnsChangeBody(Map<String, Value>);

/// The field that stands in the path.
const IN_PATH: &str = "interface";

impl DnsChangeBody {
    /// The change of this interface.
    pub(in crate::adapters::http) fn of(self, interface: &InterfaceName) -> Result<DnsChange, ApiError> {
        let mut fields = self.0;
        if fields.contains_key(IN_PATH) {
            let words = "it stands in the path";
            return Err(ApiError::field(StatusCode::UNPROCESSABLE_ENTITY, IN_PATH, words));
        }
        fields.insert(IN_PATH.to_owned(), Value::String(interface.to_string()));
        read_object(Value::Object(fields).to_string().as_bytes(), "", PhantomData)
    }
}

impl ReadBody for DnsChangeBody {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        read_object(bytes, "", PhantomData::<Map<String, Value>>).map(Self)
    }
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
