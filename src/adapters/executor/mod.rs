//! Running operations on this host: one file per operation, and the `match` that finds it.
//!
//! Everything is read below a root directory, `/` in production. What an operation takes and returns is the domain's.

mod cgroup;
mod host_executor;
mod host_files;
mod mounts;
mod node_disk;
mod node_hostname;
mod node_load;
mod node_memory;
mod node_os;
mod node_status;
mod node_uptime;
mod silent_servers;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod layouts_tests;
#[cfg(test)]
mod machine_tests;

pub use host_executor::{HostExecutor, HostExecutorConfig};
