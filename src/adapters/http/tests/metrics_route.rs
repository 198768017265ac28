//! The metrics page on the wire: on the API's listener, on its own, and off.

use std::{io::Read, sync::Arc, time::Duration};

use flate2::read::GzDecoder;
use mockall::predicate::eq;

use super::{
    call::{call, get},
    record::Record,
    scene::Scene,
};
use crate::{
    adapters::http::{App, HttpSettings, metrics_only},
    ports::{
        driven::{HttpEnd, HttpMethod},
        driving::{MockScrape, ScrapeError},
    },
};

const CONTENT_TYPE: Option<&str> = Some("text/plain; version=0.0.4; charset=utf-8");

/// A page of one line.
const SMALL: &str = "osapi_build_info{version=\"1.2.3\"} 1\n";

fn large() -> String {
    SMALL.repeat(100)
}

fn scrape(page: &str) -> MockScrape {
    let page: Arc<str> = page.into();
    let mut scrape = MockScrape::new();
    scrape.expect_page().returning(move |_| Ok(Arc::clone(&page)));
    scrape
}

fn api_with(page: &str) -> App {
    let mut scene = Scene::new();
    scene.scrape = Some(scrape(page));
    scene.app()
}

/// The page where it can be: beside the API, on a listener of its own, at another path.
fn everywhere(page: &str) -> Vec<(App, &'static str)> {
    let elsewhere = HttpSettings { metrics_path: "/internal/m.1".to_owned(), ..HttpSettings::default() };
    let mut scene = Scene::new();
    scene.settings = elsewhere.clone();
    scene.scrape = Some(scrape(page));
    vec![
        (api_with(page), "/metrics"),
        (scene.app(), "/internal/m.1"),
        (metrics_only(&HttpSettings::default(), Arc::new(scrape(page)), None), "/metrics"),
        (metrics_only(&elsewhere, Arc::new(scrape(page)), None), "/internal/m.1"),
    ]
}

#[tokio::test]
async fn a_scrape_is_answered_in_the_one_format_without_a_token() {
    for (app, path) in everywhere(SMALL) {
        for accept in ["*/*", "application/openmetrics-text;version=1.0.0", "application/json", ""] {
            let answer = call("GET", path).header("accept", accept).to(&app).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, SMALL), "{path}");
            assert_eq!(answer.header("content-type"), CONTENT_TYPE, "{accept}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            assert_eq!(answer.header("content-encoding"), None);
        }
        let with_token = call("GET", path).token("expired").to(&app).await;
        assert_eq!(with_token.status, 200, "nobody looks at a token here");
    }
}

#[tokio::test]
async fn a_page_that_is_worth_it_is_compressed_for_those_who_take_it() {
    for (app, path) in everywhere(&large()) {
        for (accept, compressed) in
            [("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false), ("identity", false)]
        {
            let answer = call("GET", path).header("accept-encoding", accept).to(&app).await;
            assert_eq!(answer.header("content-type"), CONTENT_TYPE);
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            assert_eq!(answer.header("content-encoding"), compressed.then_some("gzip"), "{accept}");
            let mut page = String::new();
            if compressed {
                assert!(answer.body.len() < large().len() / 10);
                GzDecoder::new(&answer.body[..]).read_to_string(&mut page).expect("gzip");
            } else {
                page = answer.text();
            }
            assert_eq!(page, large());
        }
    }
    let small = call("GET", "/metrics").header("accept-encoding", "gzip").to(&api_with(SMALL)).await;
    assert_eq!((small.header("content-encoding"), small.text().as_str()), (None, SMALL));
}

#[tokio::test]
async fn the_page_knows_get_and_head_alone() {
    for (app, path) in everywhere(&large()) {
        let head = call("HEAD", path).header("accept-encoding", "gzip").to(&app).await;
        assert_eq!((head.status, head.text()), (200, String::new()));
        assert_eq!((head.header("content-type"), head.header("content-encoding")), (CONTENT_TYPE, Some("gzip")));
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = call(method, path).to(&app).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_is_nowhere_when_it_is_off_or_has_its_own_listener() {
    let listen = Some("127.0.0.1:9464".parse().expect("an address"));
    for metrics_listen in [None, listen] {
        let mut scene = Scene::new();
        scene.settings.metrics_listen = metrics_listen;
        let app = scene.app();
        for method in ["GET", "HEAD", "POST"] {
            let answer = call(method, "/metrics").to(&app).await;
            assert_eq!((answer.status, answer.header("allow")), (404, None), "{method}");
        }
    }
}

#[tokio::test]
async fn the_page_is_at_its_configured_path_alone() {
    let (app, path) = everywhere(SMALL).swap_remove(1);
    for other in ["/metrics", "/internal", "/internal/m", "/internal/mx1", "/internal/m.1/"] {
        assert_eq!(get(other).to(&app).await.status, 404, "{other}");
    }
    assert_eq!(get(path).to(&app).await.status, 200);
}

#[tokio::test]
async fn a_listener_of_its_own_serves_nothing_but_the_page() {
    let (app, _) = everywhere(SMALL).swap_remove(2);
    for path in ["/", "/health", "/api/v1/jobs", "/openapi.json", "/docs", "/metrics/"] {
        assert_eq!(get(path).to(&app).await.status, 404, "{path}");
    }
    assert_eq!(get("/%ff").to(&app).await.status, 404, "it has no parameters to decode");
}

#[tokio::test]
async fn a_page_that_cannot_be_had_is_a_problem_with_the_reason() {
    for (error, status, detail) in [
        (
            ScrapeError::Failed("failed to collect metrics: poisoned".to_owned()),
            500,
            "failed to collect metrics: poisoned",
        ),
        (ScrapeError::TimedOut, 503, "the page was not ready in time"),
    ] {
        let failing = || {
            let error = error.clone();
            let mut scrape = MockScrape::new();
            scrape.expect_page().returning(move |_| Err(error.clone()));
            scrape
        };
        let mut scene = Scene::new();
        scene.scrape = Some(failing());
        for app in [scene.app(), metrics_only(&HttpSettings::default(), Arc::new(failing()), None)] {
            let answer = call("GET", "/metrics").to(&app).await;
            assert_eq!((answer.status, answer.problem().detail.as_str()), (status, detail));
        }
    }
}

#[tokio::test]
async fn the_time_that_the_scraper_gives_reaches_the_port() {
    for (said, deadline) in [(None, 10_000), (Some("2.5"), 2_000), (Some("60"), 10_000), (Some("NaN"), 10_000)] {
        let mut scrape = MockScrape::new();
        scrape.expect_page().with(eq(Duration::from_millis(deadline))).times(1).returning(|_| Ok(SMALL.into()));
        let mut scene = Scene::new();
        scene.scrape = Some(scrape);
        let mut request = call("GET", "/metrics");
        if let Some(said) = said {
            request = request.header("x-prometheus-scrape-timeout-seconds", said);
        }
        assert_eq!(request.to(&scene.app()).await.status, 200, "{said:?}");
    }
}

#[tokio::test]
async fn scrapes_are_counted_at_the_path_of_the_page() {
    let settings = HttpSettings { metrics_path: "/internal/m.1".to_owned(), ..HttpSettings::default() };
    let record = Record::default();
    let mut scene = Scene::new();
    scene.settings = settings.clone();
    scene.scrape = Some(scrape(SMALL));
    scene.metrics = Some(record.metrics(&settings));
    let own = metrics_only(&settings, Arc::new(scrape(SMALL)), Some(record.metrics(&settings)));
    for app in [scene.app(), own] {
        call("GET", "/internal/m.1").to(&app).await;
        call("HEAD", "/internal/m.1").to(&app).await;
        call("POST", "/internal/m.1").to(&app).await;
        call("GET", "/metrics").to(&app).await;
        let ended = |route: &str, method, status| (route.to_owned(), method, HttpEnd::Answered(status), false);
        assert_eq!(
            record.finished(),
            [
                ended("/internal/m.1", HttpMethod::Get, 200),
                ended("/internal/m.1", HttpMethod::Head, 200),
                ended("/internal/m.1", HttpMethod::Post, 405),
                ended("unmatched", HttpMethod::Get, 404),
            ]
        );
    }
}

#[tokio::test]
async fn the_page_varies_by_origin_too_where_origins_may_call() {
    let mut scene = Scene::new();
    scene.settings.allow_origins = vec!["https://ops.example".to_owned()];
    scene.scrape = Some(scrape(SMALL));
    let answer = call("GET", "/metrics").to(&scene.app()).await;
    let varies: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(varies, ["Accept-Encoding", "Origin"]);
}
