//! Bodies of typed calls: the inputs of operations as they are.

use std::marker::PhantomData;

use super::{body::ReadBody, object::read_object};
use crate::{adapters::http::problem::ApiError, domain::operation::command_exec::CommandInput};

impl ReadBody for CommandInput {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        read_object(bytes, "", PhantomData)
    }
}
