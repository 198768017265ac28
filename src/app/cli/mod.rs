//! The command line: what can be asked of the program, one file per command.
//!
//! A command reads its arguments and the configuration, asks the other layers, prints, and says how it ended. It sees
//! the world only through [`Process`], so that tests can be the world.

mod command_line;
mod config_check;
mod config_show;
mod configuration_flags;
mod data_flags;
mod ending;
mod format;
mod greeting;
mod openapi;
mod process;
mod service_key;
mod start;
mod token_generate;
mod token_validate;

#[cfg(test)]
mod tests;

pub use command_line::run;
pub use ending::ExitStatus;
pub use process::Process;
