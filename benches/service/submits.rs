//! Durable submissions alone: the worker drains, so that nothing else happens.

use crate::{
    client::{Clients, Load, Measured},
    report::{each, line, part, rate, time},
    scene::{Effort, Scene},
    server::Server,
};

/// Submits so many jobs.
pub(crate) fn submit(clients: &Clients, server: &Server, connections: usize, count: usize) -> Measured {
    let requests = [server.new_job("")];
    let load =
        Load { address: server.address, requests: &requests, clients: connections, count, status: 201, contains: "" };
    clients.run(&load)
}

pub(crate) fn run(effort: Effort) {
    part("Durable submissions: fsync before 201, the worker drains, metrics off");
    let Scene { server, clients, .. } = &Scene::new(&[]);
    server.drain(clients);
    submit(clients, server, 64, effort.count(5_000));
    for connections in [1, 32, 64] {
        let count = effort.count(if connections == 1 { 3_000 } else { 30_000 });
        let (rounds, used) =
            server.used_while(|| Measured::rounds(effort.rounds(3), || submit(clients, server, connections, count)));
        let [rate_budget, time_budget] = if connections == 64 { ["≥ 10000/s", "p99 ≤ 20 ms"] } else { [""; 2] };
        line(&format!("{connections} clients, median of the rounds"), &rate(rounds.per_second), rate_budget);
        line(&format!("{connections} clients, p50, p99"), &rounds.p50_p99(), time_budget);
        let used = each(used, rounds.latencies.len());
        line(&format!("{connections} clients, processor time of the service for each"), &time(used), "");
    }
}
