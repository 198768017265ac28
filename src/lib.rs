//! `osapi`: a REST job service for Linux fleets.
//!
//! A hexagonal service. Layers, from the inside out, each naming only those before it:
//! [`domain`], [`ports`], [`adapters`], [`app`].

#![forbid(unsafe_code)]

pub mod adapters;
pub mod app;
pub mod domain;
pub mod ports;
