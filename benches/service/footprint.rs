//! What the service needs before anybody asks for anything: bytes, memory, time to start.

use std::{fs, thread::sleep, time::Duration};

use crate::{
    client::Clients,
    jobs::wait_for_jobs,
    report::{line, mebibytes, median, part, per_second, time},
    scene::{Effort, Scene},
    server::{METRICS, PROGRAM, Server, Settings},
};

/// How long an idle service is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// The median time from the start of the process to its first answer that it is ready.
fn ready_after(effort: Effort, fresh: bool) -> Duration {
    let clients = Clients::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    Server::start(&clients, directory.path(), &[]).stop();
    let start = |_| {
        let new = tempfile::tempdir().expect("a temporary directory");
        let server = Server::start(&clients, if fresh { new.path() } else { directory.path() }, &[]);
        server.ready_after.as_secs_f64()
    };
    Duration::from_secs_f64(median(&mut (0..effort.rounds(15)).map(start).collect::<Vec<_>>()))
}

fn idle(name: &str, settings: Settings<'_>) {
    let Scene { server, clients, .. } = &Scene::new(settings);
    sleep(Duration::from_secs(1));
    let switches = server.wake_ups();
    let ((), used) = server.used_while(|| sleep(IDLE));
    let woken = per_second(server.wake_ups() - switches, IDLE);
    line(&format!("resident memory, idle, {name}"), &mebibytes(server.resident()), "≤ 30 MiB");
    line(&format!("wake-ups of all threads, idle, {name}"), &format!("{woken:.1}/s, {} in all", time(used)), "");
    wait_for_jobs(clients, server, 64, 20_000);
    line(&format!("resident memory after 20,000 jobs, {name}"), &mebibytes(server.resident()), "");
}

pub(crate) fn run(effort: Effort) {
    part("Footprint");
    let bytes = fs::metadata(PROGRAM).expect("it is built").len();
    line("release binary", &mebibytes(bytes / 1024), "≤ 20 MiB");
    line("start to first ready answer, new store, median", &time(ready_after(effort, true)), "≤ 100 ms");
    line("start to first ready answer, existing store, median", &time(ready_after(effort, false)), "≤ 100 ms");
    idle("metrics off", &[]);
    idle("metrics on", &[METRICS]);
}
