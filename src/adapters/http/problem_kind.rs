//! The kinds of problems: what programs tell refusals apart by. A closed list; `docs/problems.md` explains each.

use poem::http::StatusCode;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// What kind of problem a refusal is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(super) enum ProblemKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl ProblemKind {
            /// Every kind, ordered by status.
            pub(super) const ALL: &[Self] = &[$(Self::$kind),+];

            /// The URI that names it, in the member `type` of a problem.
            pub(super) const fn uri(self) -> &'static str {
                match self { $(Self::$kind => concat!("urn:osapi:problem:", $name)),+ }
            }

            /// The status of the answer.
            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),+ }
            }

            /// What it is, for people: the same for all problems of the kind.
            pub(super) const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),+ }
            }
        }
    };
}

kinds! {
    /// A path, a query or a header has a value that cannot be read.
    InvalidValue = "invalid-value", BAD_REQUEST, "A value of the request cannot be read";
    /// The body is not JSON, or broke off.
    MalformedBody = "malformed-body", BAD_REQUEST, "The body cannot be read";
    /// The request breaks a rule of HTTP.
    MalformedRequest = "malformed-request", BAD_REQUEST, "The request breaks a rule of HTTP";
    /// There is no token.
    NoToken = "no-token", UNAUTHORIZED, "A token is needed";
    /// The token proves nothing.
    InvalidToken = "invalid-token", UNAUTHORIZED, "The token is not valid";
    /// The token's time is over.
    ExpiredToken = "expired-token", UNAUTHORIZED, "The token has expired";
    /// The token's role is too small.
    MissingRole = "missing-role", FORBIDDEN, "The token's role is not enough";
    /// The path is not one of the API's.
    NoSuchPath = "no-such-path", NOT_FOUND, "There is nothing at this path";
    /// No job has this id.
    NoSuchJob = "no-such-job", NOT_FOUND, "There is no such job";
    /// No connected worker has this name.
    NoSuchWorker = "no-such-worker", NOT_FOUND, "No such worker is connected";
    /// Metrics are off, or served elsewhere.
    NoMetrics = "no-metrics", NOT_FOUND, "Metrics are not served here";
    /// The path is known, the method is not.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The path does not know this method";
    /// The body did not come in time.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, "The body did not come in time";
    /// The job stands at a status that does not allow it.
    Conflict = "conflict", CONFLICT, "The status of the job does not allow it";
    /// The job that an idempotency key made was deleted.
    Deleted = "deleted", GONE, "The job was deleted";
    /// The body is larger than allowed.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The job is larger than the queue stores.
    JobTooLarge = "job-too-large", PAYLOAD_TOO_LARGE, "The job is too large";
    /// The body is not JSON by its headers, or is compressed.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The type of the body is not supported";
    /// Readable, and wrong.
    InvalidFields = "invalid-fields", UNPROCESSABLE_ENTITY, "The request has invalid fields";
    /// An idempotency key was used for another request.
    KeyReused = "key-reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request";
    /// No connected worker matches the target.
    NoMatchingWorker = "no-matching-worker", UNPROCESSABLE_ENTITY, "No connected worker matches the target";
    /// No connected worker in the target runs commands.
    CommandsDisabled = "commands-disabled", UNPROCESSABLE_ENTITY, "No worker in the target runs commands";
    /// A bug.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong in the server";
    /// A stored record cannot be understood.
    CorruptRecord = "corrupt-record", INTERNAL_SERVER_ERROR, "A stored record is corrupt";
    /// The metrics page could not be made.
    ScrapeFailed = "scrape-failed", INTERNAL_SERVER_ERROR, "The metrics page could not be made";
    /// The metrics page was not made in time.
    ScrapeTimeout = "scrape-timeout", SERVICE_UNAVAILABLE, "The metrics page was not made in time";
    /// A component does not work.
    NotReady = "not-ready", SERVICE_UNAVAILABLE, "A component does not work";
    /// The queue takes no more.
    QueueFull = "queue-full", SERVICE_UNAVAILABLE, "The queue is full";
    /// The queue cannot be reached.
    QueueUnavailable = "queue-unavailable", SERVICE_UNAVAILABLE, "The queue is unavailable";
    /// The list of workers cannot be reached.
    RegistryUnavailable = "registry-unavailable", SERVICE_UNAVAILABLE, "The worker registry is unavailable";
    /// There is no space to store anything.
    StorageFull = "storage-full", INSUFFICIENT_STORAGE, "The storage is full";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Begins the URI of every kind.
    const PREFIX: &str = "urn:osapi:problem:";

    #[test]
    fn kinds_are_named_once_and_ordered_by_status() {
        let names: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(names.len(), ProblemKind::ALL.len());
        assert!(names.iter().all(|uri| uri.strip_prefix(PREFIX).is_some_and(|name| !name.is_empty())));
        assert!(ProblemKind::ALL.is_sorted_by_key(|kind| kind.status().as_u16()));
    }

    #[test]
    fn the_page_explains_every_kind_with_its_status_and_no_other() {
        let page = include_str!("../../../docs/problems.md");
        let rows: Vec<Vec<&str>> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
            .collect();
        let told: Vec<(&str, &str)> = rows.iter().map(|row| (row[0].trim_matches('`'), row[1])).collect();
        let known: Vec<(&str, String)> = ProblemKind::ALL
            .iter()
            .map(|kind| (&kind.uri()[PREFIX.len()..], kind.status().as_u16().to_string()))
            .collect();
        assert_eq!(told, known.iter().map(|(name, status)| (*name, status.as_str())).collect::<Vec<_>>());
        assert!(rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())), "four cells each");
        assert!(page.contains(PREFIX));
    }
}
