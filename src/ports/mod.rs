//! The edge of the hexagon: traits and their error types, and nothing else.
//!
//! [`driving`] is what the core offers to the outside (HTTP calls it), [`driven`] is what the core needs from the
//! outside (adapters implement it). Every trait is `Send + Sync`, takes `&self`, returns one concrete error and states
//! its promise in its docs. Mocks exist under `cfg(test)` only.

pub mod driven;
pub mod driving;
