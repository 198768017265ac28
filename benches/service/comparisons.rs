//! Two services beside each other that differ in one thing, under the same load in turn.
//!
//! Whatever else the machine does meets both sides alike: the ratio of the medians is worth more than either median.

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
/// Rounds of each side.
const ROUNDS: usize = 15;

/// A load, by name, and how many requests of it a round makes.
type Work = (&'static str, fn(&Clients, &Server, usize) -> Measured, usize);

const WORKS: [Work; 3] = [
    ("submissions", |clients, server, count| submit(clients, server, CLIENTS, count), 8_000),
    ("whole jobs", |clients, server, count| wait_for_jobs(clients, server, CLIENTS, count), 4_000),
    ("health probes", health, 20_000),
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
    fn round(&mut self, scene: &Scene, work: Work, count: usize) {
        let Scene { server, clients, .. } = scene;
        let (measured, used) = server.used_while(|| (work.1)(clients, server, count));
        self.rates.push(measured.per_second);
        self.used += used;
        self.answered += measured.latencies.len();
    }
}

/// Compares the first side with the second: the ratio of throughputs, and of processor time for each request.
pub(crate) fn compare(title: &str, sides: &[Scene; 2], budget: &str, effort: Effort) {
    part(title);
    for work in WORKS {
        let count = effort.count(work.2);
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
        let (fast, slow) = (median(&mut this.rates), median(&mut that.rates));
        let name = work.0;
        line(&format!("{name}: throughput"), &format!("{fast:.0}/s : {slow:.0}/s = {:.3}", fast / slow), budget);
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
    let title = "Metrics on : off, 64 clients, rounds in turn, ratio of medians";
    compare(title, &[Scene::new(&[METRICS]), Scene::new(&[])], "≥ 0.98", effort);
}

pub(crate) fn durability(effort: Effort) {
    let title = "Durability power_loss : process_crash, 64 clients, rounds in turn, ratio of medians";
    compare(title, &[Scene::new(&[]), Scene::new(&[PROCESS_CRASH])], "", effort);
}

/// Compares with another build of the program.
pub(crate) fn against(other: &str, effort: Effort) {
    let title = format!("This build : {other}, 64 clients, rounds in turn, ratio of medians");
    compare(&title, &[Scene::new(&[]), Scene::of(other, &[])], "", effort);
}
