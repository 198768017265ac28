//! Whole jobs: submitted, claimed, run, recorded, and known to the client.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    client::{Clients, Load, Measured},
    report::{each, line, median, part, per_second, rate, time},
    scene::{Effort, Scene},
    server::Server,
    submits::submit,
};

/// Runs so many jobs, each client waiting for the end of its own.
pub(crate) fn wait_for_jobs(clients: &Clients, server: &Server, connections: usize, count: usize) -> Measured {
    let requests = [server.new_job("Prefer: wait=30\r\n")];
    clients.run(&Load {
        address: server.address,
        requests: &requests,
        clients: connections,
        count,
        status: 201,
        contains: r#""status":"completed""#,
    })
}

/// The ledger: how many jobs were created, and how many have completed.
fn ledger(clients: &Clients, server: &Server) -> (u64, u64) {
    let (status, body) = clients.ask(server.address, &server.request("GET", "/api/v1/jobs/stats", "", ""));
    assert_eq!(status, 200, "{body}");
    let read: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let ledger = &read["ledger"];
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    (number(&ledger["created"]), number(&ledger["by_terminal_status"]["completed"]))
}

/// How many jobs there were so far.
pub(crate) fn created(clients: &Clients, server: &Server) -> u64 {
    ledger(clients, server).0
}

/// Jobs per second from the first submission until all have completed; nobody waits for one of them.
pub(crate) fn until_completed(clients: &Clients, server: &Server, count: usize) -> f64 {
    let begun = Instant::now();
    submit(clients, server, 64, count);
    loop {
        let (created, completed) = ledger(clients, server);
        let open = created - completed;
        if open == 0 {
            return per_second(count, begun.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{open} jobs have not completed");
        sleep(Duration::from_millis(5));
    }
}

pub(crate) fn run(effort: Effort) {
    part("Whole jobs: node.hostname.get, one worker with 10 slots, fsync at each step, metrics off");
    let Scene { server, clients, .. } = &Scene::new(&[]);
    wait_for_jobs(clients, server, 64, effort.count(5_000));

    let count = effort.count(20_000);
    let (rounds, used) =
        server.used_while(|| Measured::rounds(effort.rounds(3), || wait_for_jobs(clients, server, 64, count)));
    line("64 clients that wait, median of the rounds", &rate(rounds.per_second), "≥ 5000/s");
    line("64 clients that wait, p50, p99", &rounds.p50_p99(), "");
    let used = each(used, rounds.latencies.len());
    line("64 clients that wait, processor time of the service for each", &time(used), "");

    let mut rates: Vec<f64> = (0..effort.rounds(3)).map(|_| until_completed(clients, server, count)).collect();
    line("64 clients that do not wait, until all have completed", &rate(median(&mut rates)), "≥ 5000/s");

    let alone = wait_for_jobs(clients, server, 1, effort.count(3_000));
    line("one job alone, p50, p99", &alone.p50_p99(), "p50 ≤ 2 ms, p99 ≤ 10 ms");
}
