//! What a million jobs in the store cost: lists, figures, scrapes, the start, and throughput beside an empty store.

use std::{fs, path::Path, time::Instant};

use tempfile::TempDir;

use crate::{
    client::{Clients, Load},
    comparisons::compare,
    full_store::{Sample, fill},
    pages::scrape,
    report::{line, mebibytes, median, p50_p99, part, per_second, rate},
    scene::{Effort, Scene},
    server::{METRICS, PROGRAM, Server, Settings},
};

const JOBS: usize = 1_000_000;
/// So much is kept that nothing is removed while it is measured.
const KEEP: [(&str, &str); 2] =
    [("OSAPI_JOB__RETENTION__MAX_JOBS", "10000000"), ("OSAPI_JOB__RETENTION__MAX_BYTES", "64GiB")];

/// Filters of lists that one index answers.
const INDEXED: [&str; 10] = [
    "",
    "status=completed",
    "status=failed",
    "status=queued",
    "status=lost",
    "operation=node.load.get",
    "target=_any",
    "target=group:web",
    "worker=web-07.example",
    "status=failed&operation=node.load.get",
];
/// Filters that are checked job by job, within bounds.
const MIXED: [&str; 3] = [
    "target=group:web&status=failed",
    "worker=web-07.example&status=cancelled",
    "worker=web-07.example&operation=node.load.get&status=failed",
];

pub(crate) fn run(effort: Effort) {
    let jobs = match effort {
        Effort::Full => JOBS,
        Effort::Quick => JOBS / 20,
    };
    part(&format!("A store of {jobs} jobs"));
    let clients = Clients::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let begun = Instant::now();
    let sample = fill(directory.path(), jobs, &clients);
    line("filled through the queue's port", &rate(per_second(jobs, begun.elapsed())), "");
    let bytes = fs::metadata(directory.path().join("data/osapi.db")).expect("it was filled").len();
    line("size of the store", &mebibytes(bytes / 1024), "");

    starts(&clients, directory.path(), effort);
    let settings: Settings<'_> = &[METRICS, KEEP[0], KEEP[1]];
    let server = Server::start(&clients, directory.path(), settings);
    reads(&clients, &server, &sample, effort);
    line("resident memory after all that", &mebibytes(server.resident()), "");
    server.stop();
    throughput(directory, effort);
}

fn starts(clients: &Clients, directory: &Path, effort: Effort) {
    let start = |_| Server::start(clients, directory, &KEEP).ready_after.as_secs_f64();
    let mut times: Vec<f64> = (0..effort.rounds(5)).map(start).collect();
    line("start to first ready answer, median", &format!("{:.0} ms", median(&mut times) * 1e3), "≤ 2 s");
}

fn reads(clients: &Clients, server: &Server, sample: &Sample, effort: Effort) {
    let ask = |requests: &[_], count| {
        let address = server.address;
        clients.run(&Load { address, requests, clients: 1, count, status: 200, contains: "" }).p50_p99()
    };
    let list = |filter: &str| {
        let path = |cursor: &str| format!("/api/v1/jobs?limit=20&{filter}{cursor}");
        let first = server.request("GET", path("").trim_end_matches('&'), "", "");
        let cursors = sample.iter().map(|id| path(&format!("&cursor={}", id.as_uuid().simple())).replace("&&", "&"));
        let requests: Vec<_> = cursors.map(|path| server.request("GET", &path, "", "")).chain([first]).collect();
        ask(&requests, effort.count(4_000))
    };
    for filter in INDEXED {
        line(&format!("list {filter:?}, pages at all depths, p50, p99"), &list(filter), "p99 ≤ 5 ms");
    }
    for filter in MIXED {
        line(&format!("list {filter:?}, p50, p99"), &list(filter), "");
    }
    let jobs: Vec<_> = sample.iter().map(|id| server.request("GET", &format!("/api/v1/jobs/{id}"), "", "")).collect();
    line("a job, p50, p99", &ask(&jobs, effort.count(4_000)), "");
    let stats = [server.request("GET", "/api/v1/jobs/stats", "", "")];
    line("stats, p50, p99", &ask(&stats, effort.count(4_000)), "≤ 2 ms");
    line("scrape, p50, p99", &p50_p99(&scrape(clients, server, effort.count(2_000))), "≤ 20 ms");
    let ready = [server.request("GET", "/health/ready", "", "")];
    line("readiness, p50, p99", &ask(&ready, effort.count(2_000)), "");
}

fn throughput(directory: TempDir, effort: Effort) {
    let (full, empty) = (Scene::on(directory, PROGRAM, &KEEP), Scene::new(&KEEP));
    compare(
        "This store : an empty one, 64 clients, rounds in turn, ratio of medians",
        &[full, empty],
        "≥ 0.90",
        effort,
    );
}
