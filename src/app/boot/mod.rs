//! What a process of the service does with itself before it does anything else: it hides its secrets and its memory,
//! becomes a supervisor where it is the first process of a container, and takes the limits that it may have.
//!
//! Nothing here knows what the process will serve. docs/process.md describes what an operator sees of it.

mod booted;
mod first_process;
mod inherited;
mod own_program;
mod secrets;

pub use booted::{BootError, boot};
pub use inherited::Inherited;
