//! What an error of SQLite means to a caller of the queue.

use rusqlite::ErrorCode;

use crate::ports::driven::{QueueError, QueueErrorKind};

/// The queue's error for an error of SQLite.
pub(in crate::adapters::queue) fn failure(error: rusqlite::Error) -> QueueError {
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (QueueErrorKind::StorageFull, "no space is left for the job store"),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (QueueErrorKind::Corrupt, "the job store is corrupt")
        }
        Some(_) => (QueueErrorKind::Unavailable, "the job store cannot be read or written"),
        // A value that is not what the schema says.
        None => (QueueErrorKind::Corrupt, "the job store holds something that cannot be understood"),
    };
    QueueError::new(kind, message).with_source(error)
}

/// The same error once more, for everybody whom it meets.
pub(in crate::adapters::queue) fn repeat(error: &QueueError) -> QueueError {
    QueueError::new(error.kind(), error.to_string())
}

/// A stored value that makes no sense.
pub(in crate::adapters::queue) fn corrupt(what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, what.into())
}
