//! One wrong field of a request, named the way the client wrote it.

/// A field and what is wrong with it. The message never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path of the field in the request, e.g. `operation.data.count`.
    pub field: String,
    /// What is wrong and what is allowed, lowercase, without a final dot.
    pub message: String,
}

impl FieldError {
    /// Names the field and says what is wrong with it.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
