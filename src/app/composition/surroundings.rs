//! What a server is told about the process that it is in.

use std::sync::{Arc, atomic::AtomicU64};

use crate::app::boot::Inherited;

/// What a server is told about the process that it is in.
pub struct Surroundings<'a> {
    /// What commands get as the process got it.
    pub inherited: Inherited,
    /// How many log records could not be written so far.
    pub log_records_dropped: Arc<AtomicU64>,
    /// Looks up variables of the environment that are not configuration keys.
    pub variable: &'a (dyn Fn(&str) -> Option<String> + Sync),
}
