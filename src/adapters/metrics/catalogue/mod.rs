//! Everything that is exported, as data: one [`Family`] per row.
//!
//! The instruments are built from these rows, the documentation is written from them, and a live page, the dashboard
//! and the alert rules are checked against them. How a value is obtained does not belong here.

mod all;
pub mod endpoint;
mod family;
pub mod fleet;
pub mod http;
pub mod job;
mod labels;
pub mod process;

pub use all::{GROUPS, Group, TARGET_INFO, families};
pub use family::{Family, Kind, Label, Stability};
