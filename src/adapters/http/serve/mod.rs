//! The accept loop and its connections: limits, timeouts, clients that leave, and an end that lets running requests
//! finish.
//!
//! The framework's own server polls a connection that has ended, so a client that leaves is not noticed; and it knows
//! none of the limits here (ADR 4). What a request means does not belong here.

mod accept_loop;
mod answer_body;
mod connection;
mod connection_state;
mod connection_table;
mod descriptor_room;
mod serve_limits;
mod socket;
mod unread_body;

pub use accept_loop::serve;
pub use descriptor_room::DescriptorRoom;
pub use serve_limits::ServeLimits;
pub(super) use unread_body::NoBodyRead;
