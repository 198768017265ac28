//! The metrics adapter behind its ports, read through the page.

mod catalogue;
mod documentation;
mod hostile;
mod jobs;
mod requests;
pub(crate) mod scene;
mod snapshot;
