//! What the operating system, its other users and its commands see of a process of the service.

mod descriptors;
mod files;
mod log;
mod scene;
mod secrets;
mod session;
mod signals;
