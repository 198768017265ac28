//! Which problems a call can be refused with: the document lists them by status.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::adapters::http::problem_kind::ProblemKind as Kind;

/// What every change of jobs or workers can meet.
const CHANGES: [Kind; 3] = [Kind::CorruptRecord, Kind::QueueUnavailable, Kind::StorageFull];
/// What every call that makes a job can meet.
const MAKES: [Kind; 8] = [
    Kind::Deleted,
    Kind::KeyReused,
    Kind::NoMatchingWorker,
    Kind::CommandsDisabled,
    Kind::QueueFull,
    Kind::JobTooLarge,
    Kind::RegistryUnavailable,
    Kind::InvalidFields,
];

/// The kinds of problems of an operation, as the document describes it, ordered by status.
pub(in crate::adapters::http) fn refusals_of(operation: &Value) -> Vec<Kind> {
    let id = operation["operationId"].as_str().unwrap_or_default();
    // Every call can break a rule of HTTP, have a query parameter that is not known, and meet a bug.
    let mut kinds = vec![Kind::MalformedRequest, Kind::InvalidFields, Kind::InvalidValue, Kind::Internal];
    if operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty()) {
        kinds.extend([Kind::NoToken, Kind::InvalidToken, Kind::ExpiredToken, Kind::MissingRole]);
    }
    if operation.get("requestBody").is_some() {
        kinds.extend([Kind::MalformedBody, Kind::BodyTimeout, Kind::BodyTooLarge, Kind::UnsupportedMediaType]);
    }
    kinds.extend_from_slice(match id {
        "list_jobs" | "job_stats" => &[Kind::CorruptRecord, Kind::QueueUnavailable],
        "get_job" => &[Kind::NoSuchJob, Kind::CorruptRecord, Kind::QueueUnavailable],
        "delete_job" | "cancel_job" => &[Kind::NoSuchJob, Kind::Conflict],
        "retry_job" => &[Kind::NoSuchJob],
        "list_workers" => &[Kind::RegistryUnavailable],
        "drain_worker" | "undrain_worker" => &[Kind::NoSuchWorker, Kind::RegistryUnavailable, Kind::StorageFull],
        "health_ready" => &[Kind::NotReady],
        "metrics" => &[Kind::NoMetrics, Kind::ScrapeFailed, Kind::ScrapeTimeout],
        _ => &[],
    });
    let of_node = operation["tags"].as_array().is_some_and(|tags| tags.contains(&json!("nodes")));
    if of_node || matches!(id, "submit_job" | "retry_job") {
        kinds.extend(MAKES);
    }
    if of_node || matches!(id, "submit_job" | "retry_job" | "delete_job" | "cancel_job") {
        kinds.extend(CHANGES);
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Describes the refusals of an operation, by status, like the one that stands for all of them.
pub(super) fn describe_refusals(operation: &mut Value) {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in refusals_of(operation) {
        by_status.entry(kind.status().as_u16()).or_default().push(kind);
    }
    let any = operation["responses"]["default"].clone();
    for (status, kinds) in by_status {
        let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
        let uris: Vec<&str> = kinds.iter().map(|kind| kind.uri()).collect();
        let mut response = any.clone();
        response["description"] = json!(format!("{}.", titles.join(". ")));
        response["headers"] = headers(&any["headers"], status);
        response["x-problem-types"] = json!(uris);
        let first = kinds.first().copied().unwrap_or(Kind::Internal);
        response["content"]["application/problem+json"]["example"] = example(first);
        operation["responses"][status.to_string()] = response;
    }
    operation["responses"]["default"]["content"]["application/problem+json"]["example"] = example(Kind::NoSuchPath);
}

/// The headers that come with a status.
fn headers(of_all: &Value, status: u16) -> Value {
    let mut headers = json!({ "X-Request-Id": of_all["X-Request-Id"] });
    match status {
        401 => headers["WWW-Authenticate"] = of_all["WWW-Authenticate"].clone(),
        503 => headers["Retry-After"] = of_all["Retry-After"].clone(),
        _ => {}
    }
    headers
}

/// A problem of a kind.
fn example(kind: Kind) -> Value {
    let mut problem = json!({
        "type": kind.uri(),
        "title": kind.title(),
        "status": kind.status().as_u16(),
        "detail": kind.title().to_lowercase(),
        "request_id": "0d0c7f6e3f5d4e0c8a53d3d4b5c2f1a0",
    });
    if matches!(kind, Kind::InvalidFields | Kind::InvalidValue) {
        problem["errors"] = json!([{ "field": "limit", "message": "expected a whole number from 1 to 100" }]);
    }
    if kind == Kind::Deleted {
        problem["job_id"] = json!("01900000-0000-7000-8000-000000000001");
    }
    problem
}
