//! The program as a process: started as an operator starts it, spoken to over HTTP, stopped and killed.

mod cardinality;
mod client;
mod commands;
mod crowds;
mod documents;
mod full_disk;
mod home;
mod jobs;
mod kills;
mod listeners;
mod nodes;
mod pauses;
mod readme;
mod refusals;
mod scrapes;
mod script;
mod start_up;
mod stops;
mod tokens;
mod truth;

pub(crate) use client::{Answer, Client};
pub(crate) use home::{Home, Running, read_until};
pub(crate) use jobs::reads;
pub(crate) use script::{Script, gone};
