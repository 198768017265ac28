//! Jobs flow while one server at a time is gone.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::cluster::Cluster;
use crate::server::{Client, Home, Running};

const PATIENCE: Duration = Duration::from_mins(1);
/// Jobs that are accepted while a server is gone, and between.
const ENOUGH: usize = 40;
/// Between two requests of a client: none is hurried, and refusals are cheap.
const PACE: Duration = Duration::from_millis(10);
/// Requests in all, at most.
const AT_MOST: usize = 20_000;

/// Where a process can be started that uses the cluster.
pub(super) fn home(copies: &str) -> Home {
    Home::new()
        .with("OSAPI_JOB__QUEUE__BACKEND", "nats")
        .with("OSAPI_JOB__QUEUE__NATS__URL", &Cluster::urls())
        .with("OSAPI_JOB__QUEUE__NATS__REPLICAS", copies)
        .with("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", "what all API processes of one fleet share")
        .with("OSAPI_JOB__WORKER__LISTEN", "127.0.0.1:0")
}

/// Starts an API process, with a client that may do everything.
pub(super) fn api(home: &Home) -> (Running, Client) {
    let api = home.start_as(&["api", "server", "start"], "token");
    let client = Client::new(api.url(), &home.token("admin"));
    (api, client)
}

fn durability(client: &Client) -> Value {
    client.get("/health/status").expect(200)["queue"]["durability"].clone()
}

/// Submits one job after the other until it is told to stop.
struct Submitter {
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    /// Ends with what became of each request: the id of the job, of one that was accepted.
    thread: thread::JoinHandle<Vec<Option<String>>>,
}

impl Submitter {
    fn start(client: Client) -> Self {
        let (stop, accepted) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopping, counted) = (Arc::clone(&stop), Arc::clone(&accepted));
        let thread = thread::spawn(move || {
            let mut sent = Vec::new();
            while !stopping.load(Ordering::SeqCst) && sent.len() < AT_MOST {
                let target = if sent.len() % 5 == 0 { "_all" } else { "_any" };
                let body = json!({ "operation": { "type": "node.uptime.get" }, "target": target }).to_string();
                let answer =
                    client.send("POST", "/api/v1/jobs", &[("content-type", "application/json")], body.as_bytes());
                let id = if answer.status == 201 {
                    Some(answer.json()["id"].as_str().unwrap().to_owned())
                } else {
                    answer.problem(503);
                    None
                };
                counted.fetch_add(usize::from(id.is_some()), Ordering::SeqCst);
                sent.push(id);
                thread::sleep(PACE);
            }
            sent
        });
        Self { stop, accepted, thread }
    }

    /// Waits until so many more were accepted.
    async fn accepts_more(&self) {
        let (enough, begun) = (self.accepted.load(Ordering::SeqCst) + ENOUGH, Instant::now());
        while self.accepted.load(Ordering::SeqCst) < enough {
            assert!(begun.elapsed() < PATIENCE && !self.thread.is_finished(), "jobs are accepted no more");
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn stop(self) -> Vec<Option<String>> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// The ids of all jobs that completed.
fn completed_jobs(client: &Client) -> HashSet<String> {
    let mut ids = HashSet::new();
    let mut path = "/api/v1/jobs?status=completed&limit=100".to_owned();
    loop {
        let page = client.get(&path).expect(200);
        let items = page["items"].as_array().unwrap().iter();
        ids.extend(items.map(|job| job["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/jobs?status=completed&limit=100&cursor={cursor}"),
            None => return ids,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_grows_to_three_servers_and_loses_nothing_while_each_of_them_is_killed() {
    let mut cluster = Cluster::start().await;

    // One copy at first; three take one changed line.
    let single = home("1");
    let (process, client) = api(&single);
    assert_eq!(durability(&client), "process_crash");
    let before = client.submit(&json!({ "type": "node.uptime.get" }), "_any", &[]);
    assert_eq!(process.stop().code(), Some(0));
    let home_of_api = home("3");
    let (_api, client) = api(&home_of_api);
    assert_eq!(durability(&client), "power_loss");
    Cluster::until_copies(3).await;

    let homes = ["web-1", "web-2"].map(|name| home("3").with("OSAPI_JOB__WORKER__HOSTNAME", name));
    let workers = homes.each_ref().map(|home| home.start_as(&["job", "worker", "start"], "metrics"));
    assert_eq!(client.ended(before["id"].as_str().unwrap())["status"], "completed", "it waited for a worker");

    let submitter = Submitter::start(client.clone());
    submitter.accepts_more().await;
    for node in 0..3 {
        cluster.kill_node(node);
        submitter.accepts_more().await;
        cluster.start_node(node);
        Cluster::until_copies(3).await;
        submitter.accepts_more().await;
    }
    let sent = submitter.stop();

    // Each was accepted once and ended well, those included that were answered with 503 and stored all the same.
    let stats = client.stats_until(|stats| stats["by_status"]["queued"] == 0 && stats["by_status"]["running"] == 0);
    let created = usize::try_from(stats["ledger"]["created"].as_u64().unwrap()).unwrap();
    let stored = completed_jobs(&client);
    let accepted: Vec<&String> = sent.iter().flatten().collect();
    let lost: Vec<_> = accepted.iter().filter(|id| !stored.contains(**id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let most = sent.len() + 1;
    assert!((accepted.len() + 1..=most).contains(&created), "{} {created} {most}", accepted.len());
    // Each end was counted once, by whichever process made it.
    let pages =
        workers.iter().map(|worker| client.at(worker.metrics_url().strip_suffix("/metrics").unwrap()).metrics());
    let ends: f64 = pages.chain([client.metrics()]).map(|page| page.sum("osapi_jobs_completed_total")).sum();
    assert_eq!(ends, f64::from(u32::try_from(created).unwrap()));
}
