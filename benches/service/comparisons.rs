//! Two services beside each other that differ in one thing, under the same load in turn.
//!
//! Whatever else the machine does meets both sides alike, so a ratio is that of two neighbours: the median of all of
//! them, with the quartiles, which say how much it is worth.

use std::time::Duration;

use crate::{
    client::{Clients, Load, Measured},
    jobs::wait_for_jobs,
    report::{each, line, median, part, time},
    scene::{Effort, Scene},
    server::{METRICS, PROCESS_CRASH, Server},
    submits::submit,
};

const CLIENTS: usize = 64;
/// Rounds of each side: many short ones, since two neighbours have the same luck.
const ROUNDS: usize = 40;

/// A load, and how many requests of it a round makes.
struct Work {
    name: &'static str,
    run: fn(&Clients, &Server, usize) -> Measured,
    count: usize,
    /// Whether the worker drains, so that no job of one round runs in the next.
    drained: bool,
}

/// In this order: what drains stays drained.
const WORKS: [Work; 3] = [
    Work {
        name: "whole jobs",
        run: |clients, server, count| wait_for_jobs(clients, server, CLIENTS, count),
        count: 2_000,
        drained: false,
    },
    Work { name: "health probes", run: health, count: 10_000, drained: false },
    Work {
        name: "submissions",
        run: |clients, server, count| submit(clients, server, CLIENTS, count),
        count: 5_000,
        drained: true,
    },
];

/// Requests that do next to nothing: what remains is what every request costs.
fn health(clients: &Clients, server: &Server, count: usize) -> Measured {
    let requests = [server.request("GET", "/health", "", "")];
    clients.run(&Load {
        address: server.address,
        requests: &requests,
        clients: CLIENTS,
        count,
        status: 200,
        contains: "",
    })
}

/// What one side did.
#[derive(Default)]
struct Tally {
    rates: Vec<f64>,
    used: Duration,
    answered: usize,
}

impl Tally {
    fn round(&mut self, scene: &Scene, work: &Work, count: usize) {
        let Scene { server, clients, .. } = scene;
        let (measured, used) = server.used_while(|| (work.run)(clients, server, count));
        self.rates.push(measured.per_second);
        self.used += used;
        self.answered += measured.latencies.len();
    }
}

/// Compares the first side with the second: the ratio of throughputs, and of processor time for each request.
pub(crate) fn compare(title: &str, sides: &[Scene; 2], budget: &str, effort: Effort) {
    part(title);
    for work in &WORKS {
        let count = effort.count(work.count);
        for Scene { server, clients, .. } in sides.iter().filter(|_| work.drained) {
            server.drain(clients);
        }
        let mut tallies = [Tally::default(), Tally::default()];
        for round in 0..=effort.rounds(ROUNDS) {
            // First one, then the other begins, so that a drift of the machine meets both.
            for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                tallies[side].round(&sides[side], work, count);
            }
            if round == 0 {
                tallies = [Tally::default(), Tally::default()];
            }
        }
        let [this, that] = &mut tallies;
        let mut ratios: Vec<f64> = this.rates.iter().zip(&that.rates).map(|(one, other)| one / other).collect();
        let ratio = median(&mut ratios);
        let (low, high) = (ratios[ratios.len() / 4], ratios[ratios.len() * 3 / 4]);
        let (one, other) = (median(&mut this.rates), median(&mut that.rates));
        let name = work.name;
        let figure = format!("{one:.0}/s : {other:.0}/s = {ratio:.3} ({low:.2}–{high:.2})");
        line(&format!("{name}: throughput"), &figure, budget);
        let (one, other) = (each(this.used, this.answered), each(that.used, that.answered));
        let ratio = one.as_secs_f64() / other.as_secs_f64();
        line(
            &format!("{name}: processor time of the service for each"),
            &format!("{} : {} = {ratio:.3}", time(one), time(other)),
            "",
        );
    }
}

pub(crate) fn metrics(effort: Effort) {
    let title = "Metrics on : off, 64 clients, rounds in turn";
    compare(title, &[Scene::new(&[METRICS]), Scene::new(&[])], "≥ 0.98", effort);
}

pub(crate) fn durability(effort: Effort) {
    let title = "Durability power_loss : process_crash, 64 clients, rounds in turn";
    compare(title, &[Scene::new(&[]), Scene::new(&[PROCESS_CRASH])], "", effort);
}

/// Compares with another build of the program.
pub(crate) fn against(other: &str, effort: Effort) {
    let title = format!("This build : {other}, 64 clients, rounds in turn");
    compare(&title, &[Scene::new(&[]), Scene::of(other, &[])], "", effort);
}
