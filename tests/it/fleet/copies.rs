//! API processes that start late or come back: their copies of the jobs say what the others say.

use serde_json::{Value, json};

use super::scene::{Fleet, Member, id, read, until};

/// The figures, without what passes with time.
fn figures(api: &Member) -> Value {
    let mut stats = api.client.stats();
    stats["queue"]["oldest_age_seconds"] = json!(null);
    stats
}

fn agree(one: &Member, other: &Member) {
    until("both say the same", || (figures(one) == figures(other)).then_some(()));
    let ledger = |api: &Member| {
        let page = api.page();
        ["osapi_ledger_jobs_created_total", "osapi_ledger_jobs_completed_total", "osapi_ledger_jobs"]
            .map(|name| page.sum(name))
    };
    let said = ledger(one);
    assert_eq!(said, ledger(other));
    assert_eq!(Some(said[0]), one.client.stats()["ledger"]["created"].as_f64());
}

/// Ids of all jobs, newest first.
fn listed(api: &Member) -> Vec<String> {
    let page = api.client.get("/api/v1/jobs?limit=100").expect(200);
    page["items"].as_array().unwrap().iter().map(|job| id(job).to_owned()).collect()
}

fn done(api: &Member, count: usize) -> Vec<String> {
    let done = |number: usize| {
        let target = if number.is_multiple_of(2) { "_any" } else { "_all" };
        id(&api.client.submit(&read(), target, &[("prefer", "wait=30")])).to_owned()
    };
    (0..count).map(done).collect()
}

#[test]
fn a_cold_api_process_shows_the_same_jobs_and_the_same_ledger_also_after_deletions() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let _workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    first.sees(&["web-1", "web-2"]);
    second.sees(&["web-1", "web-2"]);
    let ids = done(&first, 10);
    for id in &ids[..4] {
        assert_eq!(first.client.delete(&format!("/api/v1/jobs/{id}")).status, 204);
    }
    agree(&first, &second);
    let cold = fleet.api();
    cold.sees(&["web-1", "web-2"]);
    agree(&first, &cold);
    assert_eq!((listed(&cold), listed(&cold).len()), (listed(&first), 6));
    for id in &ids[4..] {
        assert_eq!(cold.job(id), first.job(id));
    }
    for id in &ids[..4] {
        cold.client.get(&format!("/api/v1/jobs/{id}")).problem(404);
    }
    assert_eq!(cold.client.stats()["ledger"]["created"], 10);
    // It is one like the others.
    done(&cold, 2);
    agree(&second, &cold);
}

#[test]
fn retention_changes_no_ledger_and_a_cold_api_process_knows_what_was_removed() {
    let fleet = Fleet::new().with("OSAPI_JOB__RETENTION__AGE", "1s");
    let (first, second) = (fleet.api(), fleet.api());
    let _workers = [fleet.worker("web-1"), fleet.worker("web-2")];
    first.sees(&["web-1", "web-2"]);
    second.sees(&["web-1", "web-2"]);
    done(&first, 12);
    until("all are removed", || listed(&first).is_empty().then_some(()));
    agree(&first, &second);
    let stats = second.client.stats();
    assert_eq!((&stats["ledger"]["created"], &stats["by_status"]["completed"]), (&json!(12), &json!(0)));
    assert_eq!(stats["ledger"]["by_terminal_status"]["completed"], 12);
    let cold = fleet.api();
    cold.sees(&["web-1", "web-2"]);
    agree(&first, &cold);
    assert_eq!(cold.client.stats()["ledger"], stats["ledger"]);
}

#[test]
fn an_api_process_that_was_away_catches_up_with_what_the_others_did() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    let _worker = fleet.worker("web-1");
    first.sees(&["web-1"]);
    second.sees(&["web-1"]);
    let before = done(&second, 3);
    let home = second.kill();
    let during = done(&first, 5);
    assert_eq!(first.client.delete(&format!("/api/v1/jobs/{}", before[0])).status, 204);
    let back = fleet.api_in(home);
    back.sees(&["web-1"]);
    agree(&first, &back);
    for id in before[1..].iter().chain(&during) {
        assert_eq!(back.job(id), first.job(id));
    }
    back.client.get(&format!("/api/v1/jobs/{}", before[0])).problem(404);
}

#[test]
fn what_one_api_process_answered_the_next_request_to_it_shows() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.api(), fleet.api());
    first.sees(&[]);
    for round in 0..20 {
        let job = first.client.submit(&read(), "_any", &[]);
        assert_eq!(first.job(id(&job)).as_ref(), Some(&job), "read your own writes");
        assert_eq!(listed(&first)[0], id(&job));
        let cancelled = first.client.post(&format!("/api/v1/jobs/{}/cancel", id(&job)), &json!({})).expect(200);
        assert_eq!(first.job(id(&job)), Some(cancelled));
        assert_eq!(first.client.stats()["by_status"]["cancelled"], round + 1);
    }
    agree(&first, &second);
    assert_eq!(listed(&second), listed(&first));
}
