//! What a family that has reached its limit looks like, against the alert that looks for it.

use osapi::{domain::Worker, ports::driven::FleetSnapshot};

use super::rules::alerts;
use crate::metrics::scene::{metrics, page_with, worker};

#[test]
fn the_alert_on_overflow_looks_for_the_label_that_an_overflow_has() {
    let workers: Vec<Worker> = (0..10_100).map(|number| worker(&format!("web-{number}"))).collect();
    let page = page_with(&metrics(), FleetSnapshot { workers: Some(workers), ..FleetSnapshot::default() });
    assert!(page.overflowed().contains(&"osapi_worker_slots"));
    let query = alerts()["OsapiCardinalityOverflow"].query();
    let matchers = query.selectors[0].matchers.iter().filter(|matcher| matcher.label != "job");
    let looked_for = matchers.map(|matcher| (matcher.label.clone(), matcher.value.clone())).collect();
    let found: Vec<_> = page.samples("osapi_worker_slots").filter(|sample| sample.labels == looked_for).collect();
    assert_eq!(found.len(), 1, "{looked_for:?}");
}
