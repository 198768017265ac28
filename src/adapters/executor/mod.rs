//! Operations run on this host: one file per operation, and the table that dispatches to them.
