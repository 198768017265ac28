//! A fleet on a cluster of three NATS servers, which are killed and started again one after the other.

mod cluster;
mod moving;
mod rolling;
