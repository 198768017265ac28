//! The application over mocks of its ports, spoken to in process; and the accept loop, spoken to over TCP.

mod authentication;
mod bodies;
mod call;
mod cancellation;
mod connection;
mod counting;
mod cross_origin;
mod crowding;
mod document;
mod documented;
mod echo;
mod half_closing;
mod health;
mod jobs;
mod metrics_route;
mod pages;
mod parameters;
mod problems;
mod record;
mod scene;
mod schema;
mod serving;
mod waiting_jobs;
mod workers;
