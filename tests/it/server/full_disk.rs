//! A disk without space: nothing that was accepted is lost, and the service resumes when space returns.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{Client, Home};

/// A key that is not kept on the disk that will be full.
const KEY: &str = "a key that is long enough for the signature";
/// More jobs than the disk has room for.
const BOUND: usize = 5_000;

#[test]
fn a_full_disk_refuses_with_507_and_keeps_what_it_accepted() {
    let home = Home::new().with("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", KEY);
    fs::create_dir(home.path("data")).unwrap();
    // A small file system of its own, in a mount namespace of its own, with something on it that can be taken away.
    let script =
        "mount -t tmpfs -o size=6m,mode=0700 tmpfs data && head -c 3m /dev/zero > data/ballast && exec \"$0\" start";
    let server = home.start_by(&["unshare", "--map-root-user", "--mount", "sh", "-c", script]);
    let client = Client::new(server.url(), &home.token("admin"));
    client.post("/api/v1/workers/web-1/drain", &json!({})).expect(200);

    let body = json!({ "operation": { "type": "node.os.get" }, "target": "_any" });
    let mut accepted = Vec::new();
    let refused = (0..BOUND)
        .map(|_| client.post("/api/v1/jobs", &body))
        .find_map(|answer| match answer.status {
            201 => {
                accepted.push(answer.json()["id"].as_str().unwrap().to_owned());
                None
            }
            _ => Some(answer),
        })
        .expect("the disk is full before the bound");
    refused.problem(507);
    client.post("/api/v1/jobs", &body).problem(507);
    let waiting = |stats: &Value| (stats["ledger"]["created"].clone(), stats["queue"]["depth"].clone());
    assert_eq!(waiting(&client.stats()), (json!(accepted.len()), json!(accepted.len())));

    let ballast: PathBuf = format!("/proc/{}/root{}", server.pid(), home.path("data/ballast").display()).into();
    fs::remove_file(ballast).unwrap();
    let id = client.post("/api/v1/jobs", &body).expect(201)["id"].as_str().unwrap().to_owned();
    accepted.push(id);
    assert_eq!(client.stats()["ledger"]["created"], accepted.len());
    client.post("/api/v1/workers/web-1/undrain", &json!({})).expect(200);
    for id in [&accepted[0], &accepted[accepted.len() - 1]] {
        assert_eq!(client.ended(id)["status"], "completed");
    }
    let page = client.metrics();
    assert!(page.value("osapi_jobs_rejected_total", &[("reason", "queue_failed")]).unwrap() >= 2.0);
}
