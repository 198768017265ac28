//! The series of the page itself.

use std::time::Duration;

use opentelemetry::metrics::Gauge;

use super::{
    config::OtelConfig,
    instruments::{BoundCount, BoundLevel, Instruments, labels},
};
use crate::{adapters::metrics::catalogue::endpoint, ports::driven::ScrapeEnd};

pub(super) struct EndpointSeries {
    requests: [BoundCount; ScrapeEnd::ALL.len()],
    errors: [Option<BoundCount>; ScrapeEnd::ALL.len()],
    in_flight: BoundLevel,
    last_duration: Gauge<f64>,
}

const fn cause(end: ScrapeEnd) -> Option<&'static str> {
    match end {
        ScrapeEnd::Served => None,
        ScrapeEnd::Failed => Some("collection"),
        ScrapeEnd::TimedOut => Some("timeout"),
    }
}

impl EndpointSeries {
    pub(super) fn new(instruments: &Instruments, config: &OtelConfig) -> Self {
        let build = labels(&endpoint::BUILD_INFO, [&config.revision, &config.version]);
        instruments.observable(&endpoint::BUILD_INFO, move |_, series| series(1.0, &build));

        let requests = instruments.counter(&endpoint::REQUESTS);
        let errors = instruments.counter(&endpoint::ERRORS);
        let in_flight = instruments.up_down_counter(&endpoint::REQUESTS_IN_FLIGHT).bind(&[]);
        // A series without labels is on the page only after its first use.
        in_flight.add(0);
        Self {
            requests: ScrapeEnd::ALL.map(|end| requests.bind(&labels(&endpoint::REQUESTS, [end.code()]))),
            errors: ScrapeEnd::ALL.map(|end| cause(end).map(|cause| errors.bind(&labels(&endpoint::ERRORS, [cause])))),
            in_flight,
            last_duration: instruments.gauge(&endpoint::LAST_DURATION),
        }
    }

    pub(super) fn started(&self) {
        self.in_flight.add(1);
    }

    pub(super) fn stopped(&self) {
        self.in_flight.add(-1);
    }

    pub(super) fn answered(&self, end: ScrapeEnd) {
        self.requests[end as usize].add(1);
        if let Some(errors) = &self.errors[end as usize] {
            errors.add(1);
        }
    }

    pub(super) fn page_made(&self, took: Duration) {
        self.last_duration.record(took.as_secs_f64(), &[]);
    }
}
