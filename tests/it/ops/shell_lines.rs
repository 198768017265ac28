//! What the documentation tells an operator to type, typed.

use std::{
    fs,
    process::{Command, Output},
};

use super::{pages::Page, prometheus::Prometheus, rules::file};
use crate::server::Home;

/// A server, and a Prometheus that scrapes it.
struct Scene {
    home: Home,
    url: String,
    prometheus: Prometheus,
    _server: crate::server::Running,
}

impl Scene {
    fn new() -> Self {
        let home = Home::new();
        let server = home.start();
        let url = server.url().to_owned();
        Self { prometheus: Prometheus::scraping(&url), home, url, _server: server }
    }

    /// Runs lines of a page in the server's directory, for this server and this Prometheus. Refused requests fail.
    fn run(&self, lines: &str) -> String {
        let head = format!(
            "set -euo pipefail\nDIR={dir} API={api} PROMETHEUS={prometheus}\n\
             osapi() {{ {osapi} \"$@\"; }}\ncurl() {{ command curl --fail-with-body \"$@\"; }}\n",
            dir = self.home.path("").display(),
            api = self.url,
            prometheus = self.prometheus.address(),
            osapi = env!("CARGO_BIN_EXE_osapi"),
        );
        let lines = head + &lines.replace("ops/", &format!("{}/", file("ops").display()));
        let ran = Command::new("bash").args(["-c", &lines]).current_dir(self.home.path("")).output().unwrap();
        assert!(ran.status.success(), "{lines}\n{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }
}

fn render_plots(args: &[&str]) -> Output {
    Command::new(file("ops/render-plots")).args(args).output().expect("python3 is on the path")
}

#[test]
fn the_lines_of_the_page_give_work_drain_ask_and_draw() {
    let page = Page::load("docs/observability.md");
    let line_with = |words: &str| page.blocks("sh").find(|block| block.contains(words)).unwrap().to_owned();
    let scene = Scene::new();
    let work = line_with("node.load.get").replace("seq 240", "seq 2").replace("done &\n", "done\n");
    let drain = line_with("/drain").replace("sleep 120\n", "").replace("sleep 90\n", "");
    let seen = |expr: &str| {
        scene.prometheus.until_nothing_is_missing(|prometheus| {
            if prometheus.value(expr).is_some() { Vec::new() } else { vec![expr.to_owned()] }
        });
    };
    scene.run(&work);
    seen("sum(http_server_request_duration_seconds_count) >= 6");
    // A rate needs a change after the first sample.
    scene.run(&(work + &drain));
    seen("sum(rate(http_server_request_duration_seconds_count[10s])) > 0 and sum(osapi_jobs_completed_total) == 12");
    let ask = line_with("promtool query").replace("--minutes 5", "--minutes 0.5 --rate-interval 10s");
    let said = scene.run(&ask);
    assert!(said.contains("{status=\"completed\"} => 12"), "{said}");

    let plots: Vec<&str> = page.links().filter(|link| link.starts_with("plots/")).collect();
    assert_eq!(said.matches(".svg").count(), plots.len(), "{said}");
    for path in plots {
        let plot = fs::read_to_string(scene.home.path(path)).unwrap();
        assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"), "{plot}");
        assert!(plot.contains("<path class=\"series\""), "{path} has no lines");
        assert!(!plot.contains("nan"), "{path}");
    }
}

#[test]
fn plots_that_cannot_be_drawn_say_why() {
    let scene = Scene::new();
    for (args, code, reason) in [
        (&["no such panel"][..], 64, "there is no panel no such panel"),
        (&["Panics", "--prometheus", scene.prometheus.address()], 1, "nothing to show for Panics"),
        (
            &["Depth", "--rate-interval", "1m", "--prometheus", "http://127.0.0.1:1"],
            1,
            "failed to ask http://127.0.0.1:1",
        ),
        (
            &["Latency", "--rate-interval", "often", "--prometheus", scene.prometheus.address()],
            1,
            "refused histogram_quantile",
        ),
    ] {
        let ran = render_plots(&[args, &["--out", scene.home.path("plots").to_str().unwrap()]].concat());
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.status.code(), told.contains(reason)), (Some(code), true), "{args:?}: {told}");
        assert!(!told.contains("Traceback"), "{told}");
    }
}

#[test]
fn the_calls_of_the_runbook_work_as_they_stand() {
    let scene = Scene::new();
    let page = Page::load("docs/runbook.md");
    let blocks: Vec<&str> = page.blocks("sh").collect();
    let first = blocks[0].replace("API=http://127.0.0.1:8080\n", "");
    let said = scene.run(&first);
    for words in ["\"uptime_seconds\":", "\"by_terminal_status\":", "\"hostname\":\"web-1\"", "osapi_queue_depth 0"] {
        assert!(said.contains(words), "no {words}: {said}");
    }
    // Several processes of that name may be running here.
    for block in blocks[1..].iter().filter(|block| !block.contains("pidof")) {
        scene.run(&format!("{first}{block}"));
    }
}
