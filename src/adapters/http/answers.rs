//! Answers with more to say than a body: their status and headers.

use poem_openapi::ApiResponse;

use super::wire::{Job, Json};
use crate::ports::driving;

/// A job that was asked for.
#[derive(ApiResponse)]
pub(super) enum Accepted {
    /// Accepted: it is durable.
    #[oai(status = 201)]
    Created(Json<Job>, #[oai(header = "Location")] String),
    /// The same request made this job before.
    #[oai(status = 200)]
    Replayed(Json<Job>, #[oai(header = "Location")] String, #[oai(header = "Idempotency-Replayed")] bool),
}

impl From<driving::Submitted> for Accepted {
    fn from(submitted: driving::Submitted) -> Self {
        let location = format!("/api/v1/jobs/{}", submitted.job.summary.id);
        let job = Json(submitted.job.into());
        if submitted.replayed { Self::Replayed(job, location, true) } else { Self::Created(job, location) }
    }
}

/// Gone.
#[derive(ApiResponse)]
pub(super) enum Removed {
    /// It was deleted.
    #[oai(status = 204)]
    Done,
}
