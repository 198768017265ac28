//! The numbers of a fleet are true: plain sums over its processes, whoever accepted, ran and ended what.

use std::thread;

use serde_json::{Value, json};

use super::scene::{Fleet, Member, hosts, id, read, slow_read, sum, until, worker_in};
use crate::{exposition::Page, server::Script};

/// What a page says about the whole fleet: everything that all API processes report alike.
fn fleet_wide(page: &Page) -> Vec<(String, String, f64)> {
    let alike = |name: &str| {
        name.starts_with("osapi_ledger_")
            || ["osapi_queue_depth", "osapi_workers_connected", "osapi_worker_slots", "osapi_worker_slots_used"]
                .contains(&name)
    };
    let families = page.families.iter().filter(|(name, _)| alike(name));
    let samples = families.flat_map(|(_, family)| &family.samples);
    samples.map(|sample| (sample.name.clone(), format!("{:?}", sample.labels), sample.value)).collect()
}

/// Waits until these API processes say the same about the fleet; returns it.
fn agreement(apis: &[Member]) -> Vec<(String, String, f64)> {
    until("all API processes say the same", || {
        let mut said = apis.iter().map(|api| fleet_wide(&api.page()));
        let first = said.next()?;
        (!first.is_empty() && said.all(|other| other == first)).then_some(first)
    })
}

fn exec(script: &str) -> Value {
    json!({ "type": "command.exec", "data": { "command": ["/bin/sh", "-c", script] } })
}

/// Submits jobs of all kinds to one API process and meddles with them through the other. Returns their ids.
fn story(to: &Member, by: &Member) -> Vec<String> {
    let mut ids = Vec::new();
    for turn in 0..4 {
        let mut post = |operation: &Value, target: &str| {
            let job = to.client.submit(operation, target, &[]);
            ids.push(id(&job).to_owned());
            id(&job).to_owned()
        };
        post(&read(), "_any");
        post(&read(), "_all");
        post(&exec("exit 0"), "group:web");
        let failing = post(&exec("exit 3"), "_all");
        let cancelled = post(&slow_read(10), if turn % 2 == 0 { "_any" } else { "_all" });
        until("the other one knows the job", || by.job(&cancelled));
        by.client.post(&format!("/api/v1/jobs/{cancelled}/cancel"), &json!({})).expect(200);
        assert_eq!(by.client.ended(&failing)["status"], "failed");
        let retried = by.client.post(&format!("/api/v1/jobs/{failing}/retry"), &json!({})).expect(201);
        ids.push(id(&retried).to_owned());
        let refused = json!({ "operation": read(), "target": "group:nobody" });
        to.client.post("/api/v1/jobs", &refused).problem(422);
        // The same request again makes nothing.
        let again = json!({ "operation": read(), "target": "_any" });
        let key = format!("key-{turn}-{}", ids[0]);
        let made = to.client.post_with("/api/v1/jobs", &[("idempotency-key", &key)], &again).expect(201);
        by.client.post_with("/api/v1/jobs", &[("idempotency-key", &key)], &again).expect(200);
        ids.push(id(&made).to_owned());
    }
    ids
}

/// Jobs that a process made end with this status.
fn completed(page: &Page, status: &str) -> f64 {
    let samples = page.samples("osapi_jobs_completed_total");
    samples.filter(|sample| sample.labels["status"] == status).map(|sample| sample.value).sum()
}

#[test]
fn plain_sums_over_all_processes_are_the_ledger() {
    let fleet = Fleet::new();
    let apis = [fleet.api(), fleet.api()];
    let workers = [fleet.labelled("web-1", "group=web.dev"), fleet.labelled("web-2", "group=web.prod")];
    for api in &apis {
        api.sees(&["web-1", "web-2"]);
    }
    let ids: Vec<String> = thread::scope(|scope| {
        let stories = [(&apis[0], &apis[1]), (&apis[1], &apis[0])].map(|(to, by)| scope.spawn(move || story(to, by)));
        stories.into_iter().flat_map(|story| story.join().unwrap()).collect()
    });
    let created = f64::from(u32::try_from(ids.len()).unwrap());
    let stats = apis[0].quiet();
    assert_eq!(stats["ledger"]["created"].as_f64(), Some(created));
    let everybody = || apis.iter().chain(&workers);
    until("all ends are counted", || (sum(everybody(), "osapi_jobs_completed_total") == created).then_some(()));
    assert_eq!(sum(everybody(), "osapi_jobs_created_total"), created);
    assert_eq!(sum(everybody(), "osapi_job_end_to_end_duration_seconds_count"), created);
    assert_eq!(sum(&workers, "osapi_jobs_created_total"), 0.0, "workers accept nothing");
    assert_eq!(sum(&apis, "osapi_jobs_rejected_total"), 8.0);
    for status in ["completed", "failed", "cancelled", "partial_failure", "expired", "lost"] {
        let counted: f64 = everybody().map(|member| completed(&member.page(), status)).sum();
        assert_eq!(stats["ledger"]["by_terminal_status"][status].as_f64(), Some(counted), "{status}");
    }
    // Of executions each worker counts its own.
    let executions: usize = ids.iter().map(|id| apis[0].job(id).unwrap()["executions"].as_array().unwrap().len()).sum();
    let processed = sum(&workers, "osapi_worker_jobs_processed_total");
    assert_eq!(processed, sum(&workers, "osapi_job_duration_seconds_count"));
    assert!(processed <= f64::from(u32::try_from(executions).unwrap()));
    agreement(&apis);
    for leak in ["osapi_jobs_active", "osapi_worker_slots_used", "osapi_queue_depth", "osapi_stale_results_total"] {
        assert_eq!(sum(everybody(), leak), 0.0, "{leak}");
    }
    for api in &apis {
        assert_eq!(api.page().value("osapi_ledger_jobs_created_total", &[]), Some(created));
    }
}

#[test]
fn sums_over_the_processes_that_live_on_are_right_though_a_worker_was_killed() {
    let fleet = Fleet::new();
    let apis = [fleet.api(), fleet.api()];
    let stays = fleet.worker("web-1");
    let dies = fleet.worker("web-2");
    for api in &apis {
        api.sees(&["web-1", "web-2"]);
    }
    let script = Script::new(&fleet.desk);
    let safe = apis[0].client.submit(&slow_read(10), "web-2", &[]);
    apis[0].runs_on(id(&safe));
    let both = apis[1].client.submit(&slow_read(5), "_all", &[]);
    let run = [("web-1", "running"), ("web-2", "running")];
    until("both run it", || (hosts(&apis[1].job(id(&both))?) == run).then_some(()));
    let once = apis[1].client.submit(&script.then("exec sleep 600"), "web-2", &[]);
    let group = script.started();
    apis[1].runs_on(id(&once));
    // The one that dies has counted nothing: everything that it runs is cut short.
    assert_eq!(dies.page().sum("osapi_jobs_completed_total"), 0.0);
    let home = dies.kill();
    assert_eq!(apis[0].client.ended(id(&once))["status"], "lost");
    let again = worker_in(home);
    for job in [&safe, &both] {
        assert_eq!(apis[0].client.ended(id(job))["status"], "completed");
    }
    let everybody = [&apis[0], &apis[1], &stays, &again];
    until("three ends are counted", || (sum(everybody, "osapi_jobs_completed_total") == 3.0).then_some(()));
    assert_eq!(sum(everybody, "osapi_jobs_created_total"), 3.0);
    assert_eq!(sum(&apis, "osapi_jobs_redelivered_total"), 2.0, "two reads, and not the command");
    assert_eq!(sum(everybody, "osapi_stale_results_total"), 0.0);
    agreement(&apis);
    let _ = rustix::process::kill_process(group, rustix::process::Signal::KILL);
}

#[test]
fn the_series_of_a_dead_worker_vanish_from_the_pages_of_all_api_processes() {
    let fleet = Fleet::new();
    let apis = [fleet.api(), fleet.api()];
    let (_stays, dies) = (fleet.worker("web-1"), fleet.worker("web-2"));
    for api in &apis {
        api.sees(&["web-1", "web-2"]);
    }
    let named = |api: &Member, name: &str| {
        let page = api.page();
        ["osapi_worker_slots", "osapi_worker_slots_used", "osapi_worker_last_heartbeat_timestamp_seconds"]
            .map(|series| page.value(series, &[("worker", name)]).is_some())
    };
    for api in &apis {
        assert_eq!((named(api, "web-1"), named(api, "web-2")), ([true; 3], [true; 3]));
        assert_eq!(api.page().value("osapi_workers_connected", &[]), Some(2.0));
    }
    dies.kill();
    for api in &apis {
        until("its series are gone", || (named(api, "web-2") == [false; 3]).then_some(()));
        assert_eq!(named(api, "web-1"), [true; 3]);
        assert_eq!(api.page().value("osapi_workers_connected", &[]), Some(1.0));
    }
}
