//! Instructions for each request, with metrics on and off: counted by valgrind, and therefore nearly the same whatever
//! else the machine does.

use std::{fs, path::Path, process::Command};

use crate::{
    client::{Clients, Load, Request},
    report::{line, part},
    scene::Effort,
    server::{METRICS, PROGRAM, Server, Settings},
};

/// Requests before those that are counted: what happens only once is not counted.
const WARM: usize = 50;

/// A request whose instructions are counted.
struct Counted {
    name: &'static str,
    request: fn(&Server) -> Request,
    status: u16,
    /// With a worker at work it would be left to chance how much of each job is done when the service ends.
    drained: bool,
}

const COUNTED: [Counted; 4] = [
    Counted {
        name: "liveness",
        request: |server| server.request("GET", "/health", "", ""),
        status: 200,
        drained: false,
    },
    Counted {
        name: "the figures of the queue",
        request: |server| server.request("GET", "/api/v1/jobs/stats", "", ""),
        status: 200,
        drained: false,
    },
    Counted { name: "a submission", request: |server| server.new_job(""), status: 201, drained: true },
    Counted {
        name: "a whole job",
        request: |server| server.new_job("Prefer: wait=30\r\n"),
        status: 201,
        drained: false,
    },
];

impl Counted {
    /// Instructions of a whole run of the service in which one client makes so many of these requests.
    fn run(&self, count: usize, settings: Settings<'_>) -> u64 {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sums = directory.path().join("sums");
        let clients = Clients::new();
        let option = format!("--callgrind-out-file={}", sums.display());
        let words = ["valgrind", "--tool=callgrind", "--quiet", &option, PROGRAM];
        let server = Server::start_as(&words, &clients, directory.path(), settings);
        if self.drained {
            server.drain(&clients);
        }
        let (requests, status) = ([(self.request)(&server)], self.status);
        clients.run(&Load { address: server.address, requests: &requests, clients: 1, count, status, contains: "" });
        server.stop();
        total(&sums)
    }

    /// Instructions of one request: what it adds to a run.
    fn each(&self, count: usize, settings: Settings<'_>) -> u64 {
        let (few, many) = (self.run(WARM, settings), self.run(WARM + count, settings));
        many.saturating_sub(few) / u64::try_from(count).expect("a bounded load")
    }
}

/// The sum that callgrind wrote down.
fn total(sums: &Path) -> u64 {
    let written = fs::read_to_string(sums).expect("callgrind has written it");
    let sum = written.lines().find_map(|line| line.strip_prefix("totals: ")).expect("callgrind has counted");
    sum.trim().parse().expect("a number")
}

pub(crate) fn run(effort: Effort) {
    part("Instructions for each request, one client, metrics on : off");
    if Command::new("valgrind").arg("--version").output().is_err() {
        return line("not counted", "there is no valgrind", "");
    }
    for counted in COUNTED {
        let requests = effort.count(2_000);
        let (on, off) = (counted.each(requests, &[METRICS]), counted.each(requests, &[]));
        let thousandths = on * 1_000 / off.max(1);
        let ratio = format!("{on} : {off} = {}.{:03}", thousandths / 1_000, thousandths % 1_000);
        line(counted.name, &ratio, "≤ 1.02");
    }
}
