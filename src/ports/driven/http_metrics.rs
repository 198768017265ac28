//! What the HTTP adapter reports to the metrics. Not called, and not even installed, when metrics are off.

use std::time::Duration;

use super::AuthError;

/// An HTTP method; what RFC 9110 and RFC 5789 do not name is `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpMethod {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `CONNECT`
    Connect,
    /// `TRACE`
    Trace,
    /// Any other word.
    Other,
}

impl HttpMethod {
    /// Every method.
    pub const ALL: [Self; 10] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
        Self::Connect,
        Self::Trace,
        Self::Other,
    ];

    /// The metric label, by the OpenTelemetry HTTP conventions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Connect => "CONNECT",
            Self::Trace => "TRACE",
            Self::Other => "_OTHER",
        }
    }

    /// The method with this name; methods are case-sensitive (RFC 9110 §9.1).
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|method| method.as_str() == name).unwrap_or(Self::Other)
    }
}

/// A route's position in the table of templates that the adapter was made with.
///
/// The last route of the table stands for all paths that match none, with a constant for a template; so does a position
/// beyond the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(pub u16);

/// A route of the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// The template with its real parameter names, e.g. `/api/v1/jobs/{id}`.
    pub template: String,
    /// Whether its latency is recorded; health probes and the metrics page are left out.
    pub timed: bool,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpEnd {
    /// Answered with this status code.
    Answered(u16),
    /// The client left before the answer.
    Disconnected,
    /// The handler panicked; answered with 500.
    Panicked,
}

/// A limit that keeps one client from using up what all of them need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Connections at the same time: one was closed for a new client.
    Connections,
    /// The time for the head of a request: the connection was closed.
    HeadTime,
    /// The time for which an answer is not read: the connection was closed.
    AnswerTime,
    /// Requests that wait at the same time: one was answered at once.
    Waits,
    /// Requests of one subject that wait at the same time: one was answered at once.
    WaitsPerSubject,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 5] =
        [Self::Connections, Self::HeadTime, Self::AnswerTime, Self::Waits, Self::WaitsPerSubject];

    /// The metric label: the key in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::HeadTime => "head_time",
            Self::AnswerTime => "answer_time",
            Self::Waits => "waits",
            Self::WaitsPerSubject => "waits_per_subject",
        }
    }
}

/// Request metrics.
///
/// `request_started` and `request_stopped` come in pairs whatever becomes of the request.
#[cfg_attr(test, mockall::automock)]
pub trait HttpMetrics: Send + Sync {
    /// A request arrived.
    fn request_started(&self, method: HttpMethod);

    /// A request that arrived is over.
    fn request_stopped(&self, method: HttpMethod);

    /// How a request ended and how long it took; `waited` when it asked to wait for a job.
    fn request_finished(&self, route: RouteId, method: HttpMethod, end: HttpEnd, took: Duration, waited: bool);

    /// A request was refused for its token.
    fn auth_rejected(&self, reason: AuthError);

    /// A limit was applied to a client.
    fn limit_reached(&self, limit: Limit);
}
