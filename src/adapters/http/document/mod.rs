//! The API document (OpenAPI 3.1): made from the handlers and the types on the wire, for server, command and test alike.
//!
//! What the framework cannot know is added here: which problems a call can be refused with, examples, tags. What common
//! generators of clients do not understand is written in plainer words.

mod api_document;
mod examples;
mod plain_schemas;
mod refusals;

pub use api_document::{document, to_yaml};
#[cfg(test)]
pub(super) use refusals::refusals_of;
