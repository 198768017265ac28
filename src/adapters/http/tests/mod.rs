//! The application over mocks of its ports, spoken to in process; and the accept loop, spoken to over TCP.

mod bodies;
mod call;
mod health;
mod jobs;
mod pages;
mod problems;
mod scene;
mod workers;
