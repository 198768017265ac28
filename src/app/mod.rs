//! The application: services, configuration, command line and the one composition root.
//!
//! The services implement the driving ports over the driven ones and see nothing else. Configuration, command line and
//! composition are the only code that sees adapters.

pub mod boot;
pub mod cli;
pub mod composition;
pub mod config;
pub mod logging;
pub mod services;
pub mod shutdown;
pub mod version;
