//! The series of requests. They appear at first use: every route with every method and status would be thousands.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};

use super::{
    instruments::{BoundCount, BoundLevel, BoundTimes, Instruments, labels},
    lazy::Lazy,
};
use crate::{
    adapters::metrics::catalogue::http,
    ports::driven::{AuthError, HttpEnd, HttpMethod, Limit, Route, RouteId},
};

const METHODS: usize = HttpMethod::ALL.len();
/// The status codes of RFC 9110, and one place for each other end.
const CODES: std::ops::RangeInclusive<u16> = 100..=599;
const OTHER: usize = 500;
const PANICKED: usize = 501;
const DISCONNECTED: usize = 502;
const ENDS: usize = 503;

/// The series of one way for requests to end.
struct EndSeries {
    requests: BoundCount,
    duration: Lazy<BoundTimes>,
}

/// One place per way to end, each taken at its first use.
type Ends = Box<[Lazy<Box<EndSeries>>]>;

struct RouteSeries {
    template: String,
    timed: bool,
    ends: [Lazy<Ends>; METHODS],
    wait: Lazy<BoundTimes>,
    panics: Lazy<BoundCount>,
}

pub(super) struct HttpSeries {
    routes: Vec<RouteSeries>,
    active: [Lazy<BoundLevel>; METHODS],
    auth_rejections: [BoundCount; AuthError::ALL.len()],
    limits_refused: [BoundCount; Limit::ALL.len()],
    active_requests: UpDownCounter<i64>,
    requests: Counter<u64>,
    durations: Histogram<f64>,
    waits: Histogram<f64>,
    panics: Counter<u64>,
}

/// How an end is labelled: status code and, for failures, type of error.
struct EndLabels {
    code: String,
    error: Option<String>,
}

/// Its place in the table of ends.
const fn place(end: HttpEnd) -> usize {
    match end {
        HttpEnd::Answered(code) if code >= *CODES.start() && code <= *CODES.end() => (code - *CODES.start()) as usize,
        HttpEnd::Answered(_) => OTHER,
        HttpEnd::Panicked => PANICKED,
        HttpEnd::Disconnected => DISCONNECTED,
    }
}

impl EndLabels {
    fn of(end: HttpEnd) -> Self {
        let (code, error) = match end {
            HttpEnd::Answered(code) if place(end) != OTHER => (code.to_string(), error_of(code)),
            HttpEnd::Answered(_) => ("_OTHER".to_owned(), None),
            HttpEnd::Panicked => ("500".to_owned(), Some("panic".to_owned())),
            // The code under which proxies log it.
            HttpEnd::Disconnected => ("499".to_owned(), Some("cancelled".to_owned())),
        };
        Self { code, error }
    }
}

fn error_of(code: u16) -> Option<String> {
    match code {
        408 | 504 => Some("timeout".to_owned()),
        500..=599 => Some(code.to_string()),
        _ => None,
    }
}

impl HttpSeries {
    pub(super) fn new(instruments: &Instruments, routes: &[Route]) -> Self {
        let route = |route: &Route| RouteSeries {
            template: route.template.clone(),
            timed: route.timed,
            ends: HttpMethod::ALL.map(|_| Lazy::new()),
            wait: Lazy::new(),
            panics: Lazy::new(),
        };
        let auth_rejections = instruments.counter(&http::AUTH_REJECTIONS);
        let limits_refused = instruments.counter(&http::LIMITS_REFUSED);
        Self {
            routes: routes.iter().map(route).collect(),
            active: HttpMethod::ALL.map(|_| Lazy::new()),
            auth_rejections: AuthError::ALL
                .map(|reason| auth_rejections.bind(&labels(&http::AUTH_REJECTIONS, [reason.as_str()]))),
            limits_refused: Limit::ALL
                .map(|limit| limits_refused.bind(&labels(&http::LIMITS_REFUSED, [limit.as_str()]))),
            active_requests: instruments.up_down_counter(&http::ACTIVE_REQUESTS),
            requests: instruments.counter(&http::REQUESTS),
            durations: instruments.histogram(&http::REQUEST_DURATION),
            waits: instruments.histogram(&http::WAIT_DURATION),
            panics: instruments.counter(&http::PANICS),
        }
    }

    pub(super) fn started(&self, method: HttpMethod) {
        self.active(method).add(1);
    }

    pub(super) fn stopped(&self, method: HttpMethod) {
        self.active(method).add(-1);
    }

    pub(super) fn finished(&self, route: RouteId, method: HttpMethod, end: HttpEnd, took: Duration, waited: bool) {
        let Some(route) = self.routes.get(usize::from(route.0)).or(self.routes.last()) else { return };
        let ends = route.ends[method as usize].get(|| (0..ENDS).map(|_| Lazy::new()).collect());
        let series = ends[place(end)].get(|| Box::new(self.bind_end(route, method, end)));
        series.requests.add(1);
        if end == HttpEnd::Panicked {
            route.panics.get(|| self.panics.bind(&labels(&http::PANICS, [&route.template]))).add(1);
        }
        let times = if waited {
            route.wait.get(|| self.waits.bind(&labels(&http::WAIT_DURATION, [&route.template])))
        } else if route.timed {
            series.duration.get(|| self.bind_duration(route, method, end))
        } else {
            return;
        };
        times.record(took.as_secs_f64());
    }

    pub(super) fn auth_rejected(&self, reason: AuthError) {
        self.auth_rejections[reason as usize].add(1);
    }

    pub(super) fn limit_reached(&self, limit: Limit) {
        self.limits_refused[limit as usize].add(1);
    }

    fn active(&self, method: HttpMethod) -> &BoundLevel {
        self.active[method as usize]
            .get(|| self.active_requests.bind(&labels(&http::ACTIVE_REQUESTS, [method.as_str()])))
    }

    fn bind_end(&self, route: &RouteSeries, method: HttpMethod, end: HttpEnd) -> EndSeries {
        let code = EndLabels::of(end).code;
        let series = labels(&http::REQUESTS, [method.as_str(), &code, &route.template]);
        EndSeries { requests: self.requests.bind(&series), duration: Lazy::new() }
    }

    /// A request that did not fail has no label for the type of its error: it is left out, not empty.
    fn bind_duration(&self, route: &RouteSeries, method: HttpMethod, end: HttpEnd) -> BoundTimes {
        let EndLabels { code, error } = EndLabels::of(end);
        let failed = error.is_some();
        let error = error.unwrap_or_default();
        let series = labels(&http::REQUEST_DURATION, [&error, method.as_str(), &code, &route.template]);
        self.durations.bind(if failed { &series } else { &series[1..] })
    }
}
