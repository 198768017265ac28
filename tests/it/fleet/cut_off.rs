//! Workers that are cut off or frozen past their lease: what they ran is run elsewhere, and what they bring late counts
//! for nothing.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    cable::Cable,
    scene::{Fleet, Member, hosts, id, read, slow_read, until, worker_in},
};
use crate::server::Script;

/// Starts a worker on a cable of its own, and another one beside it that gets nothing yet.
fn with_a_cable(fleet: &Fleet) -> (Member, Cable, Member, Member) {
    let api = fleet.api();
    let cable = Cable::lay(&fleet.server.url());
    let away = worker_in(fleet.worker_home_at("web-1", &cable.url));
    let other = fleet.worker("web-2");
    api.sees(&["web-1", "web-2"]);
    api.client.post("/api/v1/workers/web-2/drain", &json!({})).expect(200);
    (api, cable, away, other)
}

fn is_fenced(api: &Member, away: &Member, before: &Value) {
    away.comes_to("osapi_stale_results_total", 1.0);
    assert_eq!(api.job(id(before)).as_ref(), Some(before), "the outcome changed");
    assert_eq!(away.page().sum("osapi_jobs_completed_total"), 0.0);
    away.comes_to("osapi_jobs_active", 0.0);
    // It is a worker like before.
    let after = api.client.submit(&read(), "web-1", &[("prefer", "wait=30")]);
    assert_eq!(hosts(&after), [("web-1", "completed")]);
}

#[test]
fn a_worker_that_was_frozen_past_its_lease_changes_nothing_when_it_wakes() {
    let fleet = Fleet::new();
    let api = fleet.api();
    let frozen = fleet.worker("web-1");
    api.sees(&["web-1"]);
    let job = api.client.submit(&slow_read(2), "_any", &[]);
    api.runs_on(id(&job));
    frozen.process.signal(Signal::STOP);
    let other = fleet.worker("web-2");
    let ended = api.client.ended(id(&job));
    assert_eq!((hosts(&ended), &ended["executions"][0]["attempt"]), (vec![("web-2", "completed")], &json!(2)));
    frozen.process.signal(Signal::CONT);
    is_fenced(&api, &frozen, &ended);
    let redelivered = [("operation", "network.ping")];
    assert_eq!(api.page().value("osapi_jobs_redelivered_total", &redelivered), Some(1.0));
    assert_eq!(other.page().sum("osapi_stale_results_total"), 0.0);
}

#[test]
fn a_worker_that_is_cut_off_past_its_lease_loses_its_run_to_another_one() {
    let fleet = Fleet::new();
    let (api, cable, away, other) = with_a_cable(&fleet);
    let job = api.client.submit(&slow_read(2), "_any", &[]);
    assert_eq!(api.runs_on(id(&job)), "web-1");
    cable.cut();
    api.client.post("/api/v1/workers/web-2/undrain", &json!({})).expect(200);
    let ended = api.client.ended(id(&job));
    assert_eq!((hosts(&ended), &ended["executions"][0]["attempt"]), (vec![("web-2", "completed")], &json!(2)));
    other.comes_to("osapi_jobs_completed_total", 1.0);
    until("it leaves the list", || (api.workers() == ["web-2"]).then_some(()));
    let page = api.page();
    assert_eq!(page.value("osapi_workers_connected", &[]), Some(1.0));
    assert_eq!(page.value("osapi_worker_slots", &[("worker", "web-1")]), None);
    cable.mend();
    api.sees(&["web-1", "web-2"]);
    is_fenced(&api, &away, &ended);
}

#[test]
fn a_command_of_a_worker_that_is_cut_off_is_lost_and_does_not_start_elsewhere() {
    let fleet = Fleet::new();
    let (api, cable, away, _other) = with_a_cable(&fleet);
    let script = Script::new(&fleet.desk);
    let job = api.client.submit(&script.then("sleep 1"), "_any", &[]);
    script.started();
    assert_eq!(api.runs_on(id(&job)), "web-1");
    cable.cut();
    api.client.post("/api/v1/workers/web-2/undrain", &json!({})).expect(200);
    let ended = api.client.ended(id(&job));
    assert_eq!(ended["status"], "lost");
    cable.mend();
    api.sees(&["web-1", "web-2"]);
    is_fenced(&api, &away, &ended);
    assert_eq!(script.starts(), 1);
}

#[test]
fn a_run_that_ends_during_a_cut_shorter_than_its_lease_is_recorded_once_as_it_ended() {
    let fleet = Fleet::new().with("OSAPI_JOB__DEFAULTS__LEASE", "30s");
    let (api, cable, away, _other) = with_a_cable(&fleet);
    let script = Script::new(&fleet.desk);
    let (proceed, over) = (fleet.desk.path("proceed"), fleet.desk.path("over"));
    let rest = format!("until test -e {}; do sleep 0.01; done; echo > {}", proceed.display(), over.display());
    let job = api.client.submit(&script.then(&rest), "_any", &[]);
    script.started();
    assert_eq!(api.runs_on(id(&job)), "web-1");
    cable.cut();
    fs::write(&proceed, "").unwrap();
    until("the command ends", || over.exists().then_some(()));
    away.comes_to("osapi_jobs_active", 0.0);
    assert_eq!(api.job(id(&job)).unwrap()["status"], "running");
    // One attempt to record it is under way, and the next one has to come to the same.
    until("it says that it cannot", || away.process.log().contains("cannot record the end of a run").then_some(()));
    cable.mend();
    let ended = api.client.ended(id(&job));
    assert_eq!((hosts(&ended), &ended["executions"][0]["attempt"]), (vec![("web-1", "completed")], &json!(1)));
    away.comes_to("osapi_worker_jobs_processed_total", 1.0);
    let page = away.page();
    assert_eq!((page.sum("osapi_jobs_completed_total"), page.sum("osapi_stale_results_total")), (1.0, 0.0));
    assert_eq!((script.starts(), api.page().sum("osapi_jobs_completed_total")), (1, 0.0));
}
