//! The numbers are true: at every scrape, whatever happens to jobs and to the server.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};

use super::{Client, Home};
use crate::exposition::Page;

/// Pages that must balance in one life, and steps that it may take to see them.
const PAGES: usize = 300;
const BOUND: usize = 3_000;

/// What may happen next. Numbers choose one of the jobs that there are.
#[derive(Debug, Clone)]
enum Step {
    Read,
    Broadcast,
    Succeed,
    Fail,
    Dawdle,
    ExpireSoon,
    Refused,
    Cancel(usize),
    Retry(usize),
    Delete(usize),
    Drain,
    Undrain,
    Stop,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Read),
        2 => Just(Step::Broadcast),
        3 => Just(Step::Succeed),
        3 => Just(Step::Fail),
        2 => Just(Step::Dawdle),
        1 => Just(Step::ExpireSoon),
        1 => Just(Step::Refused),
        3 => any::<usize>().prop_map(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Retry),
        2 => any::<usize>().prop_map(Step::Delete),
        1 => Just(Step::Drain),
        2 => Just(Step::Undrain),
        1 => Just(Step::Stop),
        2 => Just(Step::Kill),
    ]
}

/// What the ledger of a page says: jobs ever created, and ever ended by status.
#[derive(Debug, Clone, PartialEq, Default)]
struct Ledger {
    created: f64,
    completed: BTreeMap<String, f64>,
}

impl Ledger {
    /// Of a page that must balance.
    fn of(page: &Page) -> Self {
        let completed: BTreeMap<String, f64> = page
            .samples("osapi_ledger_jobs_completed_total")
            .map(|sample| (sample.labels["status"].clone(), sample.value))
            .collect();
        let now = |status| page.value("osapi_ledger_jobs", &[("status", status)]).unwrap();
        let created = page.value("osapi_ledger_jobs_created_total", &[]).unwrap();
        assert_eq!(created, completed.values().sum::<f64>() + now("queued") + now("running"));
        let waits = page.value("osapi_queue_depth", &[]).unwrap() > 0.0;
        assert_eq!(page.value("osapi_queue_oldest_job_age_seconds", &[]).unwrap() > 0.0, waits, "the age of nothing");
        Self { created, completed }
    }

    fn must_follow(&self, earlier: &Self) {
        assert!(self.created >= earlier.created, "{self:?} after {earlier:?}");
        for (status, count) in &earlier.completed {
            assert!(self.completed[status] >= *count, "{self:?} after {earlier:?}");
        }
    }
}

/// Scrapes until it is told to stop or the server is gone. Every page must balance, and follow the one before. Counts
/// them, and returns the last ledger.
fn scrape(client: &Client, over: &AtomicBool, pages: &AtomicUsize, mut last: Ledger) -> Ledger {
    while !over.load(Ordering::Relaxed) {
        let Ok(answer) = client.try_send("GET", "/metrics", &[], &[]) else { break };
        let ledger = Ledger::of(&Page::parse(&answer.body).unwrap());
        ledger.must_follow(&last);
        last = ledger;
        pages.fetch_add(1, Ordering::Relaxed);
    }
    last
}

/// What happened so far.
struct Story {
    home: Home,
    jobs: Vec<String>,
}

impl Story {
    fn new() -> Self {
        let home = Home::new()
            .with("OSAPI_JOB__WORKER__COMMANDS__ALLOW", "/bin/true,/bin/false,/bin/sleep")
            .with("OSAPI_JOB__WORKER__GRACE", "1s");
        Self { home, jobs: Vec::new() }
    }

    fn chosen(&self, number: usize) -> Option<&str> {
        (!self.jobs.is_empty()).then(|| self.jobs[number % self.jobs.len()].as_str())
    }

    fn submit(&mut self, client: &Client, operation: &Value, target: &str, deadline: u32) {
        let body = json!({ "operation": operation, "target": target, "deadline_seconds": deadline });
        let job = client.post("/api/v1/jobs", &body).expect(201);
        self.jobs.push(job["id"].as_str().unwrap().to_owned());
    }

    fn take(&mut self, client: &Client, step: &Step) {
        let exec = |command: &[&str]| json!({ "type": "command.exec", "data": { "command": command } });
        let read = json!({ "type": "node.uptime.get" });
        match step {
            Step::Read => self.submit(client, &read, "_any", 60),
            Step::Broadcast => self.submit(client, &read, "group:web", 60),
            Step::Succeed => self.submit(client, &exec(&["/bin/true"]), "_any", 60),
            Step::Fail => self.submit(client, &exec(&["/bin/false"]), "web-1", 60),
            Step::Dawdle => self.submit(client, &exec(&["/bin/sleep", "3"]), "_any", 60),
            Step::ExpireSoon => self.submit(client, &read, "_any", 1),
            Step::Refused => {
                drop(client.post("/api/v1/jobs", &json!({ "operation": read, "target": "web-9" })).problem(422));
            }
            Step::Cancel(number) => {
                if let Some(id) = self.chosen(*number) {
                    let answer = client.post(&format!("/api/v1/jobs/{id}/cancel"), &json!({}));
                    assert!(matches!(answer.status, 200 | 404 | 409), "{}", answer.body);
                }
            }
            Step::Retry(number) => {
                if let Some(id) = self.chosen(*number) {
                    let answer = client.post(&format!("/api/v1/jobs/{id}/retry"), &json!({}));
                    assert!(matches!(answer.status, 201 | 404), "{}", answer.body);
                    if answer.status == 201 {
                        self.jobs.push(answer.json()["id"].as_str().unwrap().to_owned());
                    }
                }
            }
            Step::Delete(number) => {
                if let Some(id) = self.chosen(*number) {
                    let answer = client.delete(&format!("/api/v1/jobs/{id}"));
                    assert!(matches!(answer.status, 204 | 404 | 409), "{}", answer.body);
                }
            }
            Step::Drain => drop(client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200)),
            Step::Undrain => drop(client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200)),
            Step::Stop | Step::Kill => {}
        }
    }

    /// One life of the server, scraped all the time: until a step ends it, or there are no more. Returns the
    /// last ledger.
    fn live(&mut self, steps: &mut impl Iterator<Item = Step>, pages: &AtomicUsize, last: Ledger) -> Ledger {
        let (server, client) = self.home.serve();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let scraper = scope.spawn(|| scrape(&client, &over, pages, last));
            loop {
                match steps.next() {
                    Some(Step::Kill) => break server.kill(),
                    Some(Step::Stop) => break assert_eq!(server.stop().code(), Some(0)),
                    Some(step) => self.take(&client, &step),
                    None => {
                        let _ends = Ends(&over);
                        settle(&client);
                        break drop(server);
                    }
                }
            }
            scraper.join().unwrap()
        })
    }
}

/// Lets everything end, and compares what all the sources say then.
fn settle(client: &Client) {
    client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    let stats = client.stats_until(|stats| stats["by_status"]["queued"] == 0 && stats["by_status"]["running"] == 0);
    let page = client.metrics();
    let ledger = Ledger::of(&page);
    assert_eq!(stats["ledger"]["created"].as_f64(), Some(ledger.created));
    for (status, count) in &ledger.completed {
        assert_eq!(stats["ledger"]["by_terminal_status"][status].as_f64(), Some(*count), "{status}");
        let stored = page.value("osapi_ledger_jobs", &[("status", status)]);
        assert_eq!(stored, Some(listed(client, status)), "{status}");
    }
    for gauge in
        ["osapi_jobs_active", "osapi_worker_slots_used", "osapi_queue_depth", "osapi_job_longest_running_seconds"]
    {
        assert_eq!(page.sum(gauge), 0.0, "{gauge} leaks");
    }
    // The scrape of this page, and perhaps that of the scraper.
    assert!(page.sum("http_server_active_requests") <= 2.0);
}

/// Jobs with this status, counted one by one.
fn listed(client: &Client, status: &str) -> f64 {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = client.get(&format!("/api/v1/jobs?limit=100&status={status}{cursor}")).expect(200);
        count += page["items"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return f64::from(u32::try_from(count).unwrap()),
        }
    }
}

/// Ends the scraping when it is dropped, also by a panic.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

proptest! {
    #![proptest_config(Config { cases: 6, max_shrink_iters: 20, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_ledger_balances_at_every_scrape_whatever_happens(steps in prop::collection::vec(step(), 20..60)) {
        let mut story = Story::new();
        let mut steps = steps.into_iter().peekable();
        let (pages, mut ledger) = (AtomicUsize::new(0), Ledger::default());
        loop {
            let more = steps.peek().is_some();
            ledger = story.live(&mut steps, &pages, ledger);
            if !more {
                break;
            }
        }
        prop_assert!(pages.into_inner() > 0);
    }
}

#[test]
fn hundreds_of_pages_balance_within_one_life_and_counters_reconcile_at_its_end() {
    let mut story = Story::new();
    let (server, client) = story.home.serve();
    let over = AtomicBool::new(false);
    let pages = AtomicUsize::new(0);
    thread::scope(|scope| {
        let scraper = scope.spawn(|| scrape(&client, &over, &pages, Ledger::default()));
        let ends = Ends(&over);
        let steps =
            [Step::Read, Step::Succeed, Step::Fail, Step::Broadcast, Step::Refused, Step::Cancel(7), Step::Retry(3)];
        for step in steps.iter().cycle().take(BOUND) {
            if pages.load(Ordering::Relaxed) >= PAGES {
                break;
            }
            story.take(&client, step);
        }
        settle(&client);
        drop(ends);
        scraper.join().unwrap();
    });
    assert!(pages.into_inner() >= PAGES, "too few pages in {BOUND} steps");
    let page = client.metrics();
    let created = page.sum("osapi_jobs_created_total");
    assert_eq!(created, page.sum("osapi_jobs_completed_total"), "T2");
    assert_eq!(Some(created), page.value("osapi_ledger_jobs_created_total", &[]));
    let ended = page.sum("osapi_job_end_to_end_duration_seconds_count");
    assert_eq!(ended, created);
    // Each was for one host, and ran once or was cancelled before.
    let ran = page.sum("osapi_job_duration_seconds_count");
    assert_eq!(ran, page.sum("osapi_worker_jobs_processed_total"));
    assert!(ran <= created);
    drop(server);
}
