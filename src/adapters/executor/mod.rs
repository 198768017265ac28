//! Running operations on this host: one file per operation, and the `match` that finds it.
//!
//! Everything is read below a root directory, `/` in production. What an operation takes and returns is the domain's.

mod captured_output;
mod cgroup;
mod command_exec;
mod dns_keeper;
mod echo;
mod echo_socket;
mod file_replacement;
mod host_executor;
mod host_files;
mod launched;
mod launcher;
mod mounts;
mod network_dns_get;
mod network_dns_update;
mod network_ping;
mod node_disk;
mod node_hostname;
mod node_load;
mod node_memory;
mod node_os;
mod node_status;
mod node_uptime;
mod output_streams;
mod process_group;
mod resolv_conf;
mod resolv_conf_file;
mod resolvectl;
mod resolvectl_output;
mod silent_servers;

#[cfg(test)]
mod dns_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod layouts_tests;
#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod ping_tests;

pub use host_executor::{HostExecutor, HostExecutorConfig};
pub use launched::launched;
pub use launcher::Launcher;
