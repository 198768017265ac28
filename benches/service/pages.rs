//! The metrics page: while nothing happens, and while everything does.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    client::{Clients, Load},
    jobs::wait_for_jobs,
    report::{line, p50_p99, part},
    scene::{Effort, Scene},
    server::{METRICS, Server},
};

/// Scrapes once after the other and says how long each took, in order.
pub(crate) fn scrape(clients: &Clients, server: &Server, count: usize) -> Vec<Duration> {
    let requests = [server.request("GET", "/metrics", "", "")];
    let load = Load {
        address: server.address,
        requests: &requests,
        clients: 1,
        count,
        status: 200,
        contains: "osapi_build_info",
    };
    clients.run(&load).latencies
}

fn show(what: &str, times: &[Duration], budget: &str) {
    line(&format!("{what}, p50, p99"), &p50_p99(times), budget);
}

pub(crate) fn run(effort: Effort) {
    part("Metrics page over HTTP, one scraper that does not pause");
    let scene = Scene::new(&[METRICS]);
    let count = effort.count(1_000);
    let idle = scrape(&scene.clients, &scene.server, count);
    wait_for_jobs(&scene.clients, &scene.server, 64, effort.count(5_000));
    let (_, page) = scene.clients.ask(scene.server.address, &scene.server.request("GET", "/metrics", "", ""));
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    show("idle service", &idle, "");
    show(
        &format!("idle service after jobs, {series} series"),
        &scrape(&scene.clients, &scene.server, count),
        "≤ 2.5 ms",
    );

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let clients = Clients::new();
            while !done.load(Ordering::Relaxed) {
                wait_for_jobs(&clients, &scene.server, 64, 1_000);
            }
        });
        let times = scrape(&scene.clients, &scene.server, count);
        done.store(true, Ordering::Relaxed);
        busy.join().expect("the jobs end");
        show("beside 64 clients whose jobs run", &times, "");
    });
}
