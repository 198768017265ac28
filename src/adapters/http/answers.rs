//! Answers with more to say than a body: their status and headers.

use poem_openapi::ApiResponse;

use super::wire::{Job, Json, NodeResults};
use crate::{
    domain::{self, operation::Spec},
    ports::driving,
};

/// A job that was asked for.
#[derive(ApiResponse)]
pub(super) enum Accepted {
    /// Accepted: it is durable.
    #[oai(status = 201)]
    Created(
        Json<Job>,
        #[oai(header = "Location")] String,
        /// The preference that was honoured.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
    /// The same request made this job before.
    #[oai(status = 200)]
    Replayed(
        Json<Job>,
        #[oai(header = "Location")] String,
        #[oai(header = "Idempotency-Replayed")] bool,
        /// The preference that was honoured.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
}

impl Accepted {
    /// The answer for a job, and the preference that was honoured.
    pub(super) fn of(submitted: driving::Submitted, applied: Option<String>) -> Self {
        let location = location(&submitted.job);
        let job = Json(submitted.job.into());
        if submitted.replayed {
            Self::Replayed(job, location, true, applied)
        } else {
            Self::Created(job, location, applied)
        }
    }
}

/// A job that was looked up.
#[derive(ApiResponse)]
pub(super) enum Found {
    /// The job.
    #[oai(status = 200)]
    Job(
        Json<Job>,
        /// The preference that was honoured.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
}

/// Where a job is.
fn location(job: &domain::Job) -> String {
    format!("/api/v1/jobs/{}", job.summary.id)
}

/// What every host said to an operation.
#[derive(ApiResponse)]
pub(super) enum NodeAnswer<O: Spec> {
    /// All have ended.
    #[oai(status = 200)]
    Ended(Json<NodeResults<O>>, #[oai(header = "Idempotency-Replayed")] Option<bool>),
    /// Time ran out before all had ended; the job goes on.
    #[oai(status = 202)]
    GoesOn(
        Json<NodeResults<O>>,
        #[oai(header = "Location")] String,
        #[oai(header = "Idempotency-Replayed")] Option<bool>,
    ),
}

impl<O: Spec> From<driving::Submitted> for NodeAnswer<O> {
    fn from(submitted: driving::Submitted) -> Self {
        let driving::Submitted { job, replayed } = submitted;
        let (ended, location, replayed) = (job.summary.status.is_terminal(), location(&job), replayed.then_some(true));
        let results = Json(job.into());
        if ended { Self::Ended(results, replayed) } else { Self::GoesOn(results, location, replayed) }
    }
}

/// Gone.
#[derive(ApiResponse)]
pub(super) enum Removed {
    /// It was deleted.
    #[oai(status = 204)]
    Done,
}
