//! Writes down what the metrics hear.

use std::sync::{Arc, Mutex};

use crate::{
    adapters::http::{HttpSettings, routes},
    ports::driven::{AuthError, HttpEnd, HttpMethod, HttpMetrics, Limit, MockHttpMetrics},
};

/// The end of a request: its route's template, its method, how it ended, whether it had asked to wait.
pub(super) type Finished = (String, HttpMethod, HttpEnd, bool);

/// What the metrics heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Record(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    started: Vec<HttpMethod>,
    stopped: Vec<HttpMethod>,
    finished: Vec<Finished>,
    rejected: Vec<AuthError>,
    limits: Vec<Limit>,
}

impl Record {
    /// Metrics that write to this record.
    pub(super) fn metrics(&self, settings: &HttpSettings) -> Arc<dyn HttpMetrics> {
        let routes = routes(settings);
        let mut metrics = MockHttpMetrics::new();
        let heard = Arc::clone(&self.0);
        metrics.expect_request_started().returning(move |method| heard.lock().expect("lock").started.push(method));
        let heard = Arc::clone(&self.0);
        metrics.expect_request_stopped().returning(move |method| heard.lock().expect("lock").stopped.push(method));
        let heard = Arc::clone(&self.0);
        metrics.expect_request_finished().returning(move |route, method, end, _, waited| {
            let template = routes[usize::from(route.0)].template.clone();
            heard.lock().expect("lock").finished.push((template, method, end, waited));
        });
        let heard = Arc::clone(&self.0);
        metrics.expect_auth_rejected().returning(move |reason| heard.lock().expect("lock").rejected.push(reason));
        let heard = Arc::clone(&self.0);
        metrics.expect_limit_reached().returning(move |limit| heard.lock().expect("lock").limits.push(limit));
        Arc::new(metrics)
    }

    /// The requests that ended since this was asked last. None is in flight then, and each was counted once.
    pub(super) fn finished(&self) -> Vec<Finished> {
        let mut heard = self.0.lock().expect("lock");
        let Heard { started, stopped, finished, .. } = &mut *heard;
        started.sort_by_key(|method| method.as_str());
        stopped.sort_by_key(|method| method.as_str());
        assert_eq!(started, stopped, "requests are in flight");
        assert_eq!(started.len(), finished.len(), "every request that started ended once");
        started.clear();
        stopped.clear();
        std::mem::take(finished)
    }

    /// The tokens that were refused since this was asked last.
    pub(super) fn rejected(&self) -> Vec<AuthError> {
        std::mem::take(&mut self.0.lock().expect("lock").rejected)
    }

    /// The limits that were applied since this was asked last.
    pub(super) fn limits(&self) -> Vec<Limit> {
        std::mem::take(&mut self.0.lock().expect("lock").limits)
    }
}
