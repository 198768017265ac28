//! The accept loop over TCP: its limits, clients that leave, and the end.
//!
//! Times are only ever waited out by the server: the tests wait for what it does then.

use std::time::Duration;

use tokio::net::TcpStream;

use super::{
    connection::{Connection, Server},
    record::Record,
    scene::{ID, Scene, submitted},
    waiting_jobs::{Wait, WaitingJobs},
};
use crate::{
    adapters::http::ServeLimits,
    ports::driven::{HttpEnd, HttpMethod},
};

/// Short enough for a test to wait it out.
const SOON: Duration = Duration::from_millis(50);

fn job() -> String {
    format!("/api/v1/jobs/{ID}")
}

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    let mut connection = Connection::open(&server).await;
    for (path, status) in [("/health", 200), ("/nope", 404), ("/health", 200)] {
        connection.ask("GET", path, "X-Request-Id: mine\r\n").await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.header("x-request-id")), (status, Some("mine")), "{answer:?}");
        assert!(answer.body.starts_with('{'), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_on_the_wire_and_no_length_of_another() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    let mut connection = Connection::open(&server).await;
    for (path, status) in [("/health", 200), ("/docs", 200), ("/nope", 404), ("/api/v1/jobs?limit=0", 400)] {
        connection.ask("GET", path, "X-Request-Id: mine\r\n").await;
        let get = connection.answer().await;
        connection.ask("HEAD", path, "X-Request-Id: mine\r\n").await;
        let head = connection.answer_to_head().await;
        assert_eq!((head.status, get.status), (status, status), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        // RFC 9110 §8.6: that of GET, or none.
        assert!([None, get.header("content-length")].contains(&head.header("content-length")), "{path}: {head:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_let_go() {
    let limits = ServeLimits { head_time: SOON, ..ServeLimits::default() };
    let server = Server::start(Scene::new().app(), limits).await;
    for half in ["", "G", "GET /health HTTP/1.1\r\nHost: he"] {
        let mut connection = Connection::open(&server).await;
        connection.send(half).await;
        assert_eq!(connection.ended().await, "", "{half:?}");
    }
}

#[tokio::test]
async fn a_head_has_its_time_again_for_every_request_and_a_connection_can_be_idle_for_longer() {
    let limits = ServeLimits { head_time: SOON, ..ServeLimits::default() };
    let server = Server::start(Scene::new().app(), limits).await;
    let mut idle = Connection::open(&server).await;
    idle.ask("GET", "/health", "").await;
    assert_eq!(idle.answer().await.status, 200);
    let mut slow = Connection::open(&server).await;
    slow.ask("GET", "/health", "").await;
    assert_eq!(slow.answer().await.status, 200);
    slow.send("GET /health HTTP/1.1\r\nHost: he").await;
    assert_eq!(slow.ended().await, "");
    idle.ask("GET", "/health", "").await;
    assert_eq!(idle.answer().await.status, 200, "it was idle for longer than a head may take");
}

#[tokio::test]
async fn a_connection_that_is_idle_is_closed_and_one_that_waits_is_not() {
    let (jobs, mut waits, go) = WaitingJobs::new();
    let limits = ServeLimits { idle_time: SOON, head_time: SOON, ..ServeLimits::default() };
    let server = Server::start(Scene::new().app_over(jobs), limits).await;
    let mut waiting = Connection::open(&server).await;
    waiting.ask("GET", &job(), "Prefer: wait=60\r\n").await;
    assert_eq!(waits.recv().await, Some(Wait::Began));
    let mut idle = Connection::open(&server).await;
    idle.ask("GET", "/health", "").await;
    assert_eq!(idle.answer().await.status, 200);
    // When this one has been idle for too long, the other has waited longer than that.
    assert_eq!(idle.ended().await, "");
    go.add_permits(1);
    assert_eq!(waiting.answer().await.status, 200);
    assert_eq!(waits.recv().await, Some(Wait::Ended));
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_takes_no_more() {
    let (jobs, mut waits, go) = WaitingJobs::new();
    let server = Server::start(Scene::new().app_over(jobs), ServeLimits::default()).await;
    let mut waiting = Connection::open(&server).await;
    waiting.ask("GET", &job(), "Prefer: wait=60\r\n").await;
    assert_eq!(waits.recv().await, Some(Wait::Began));
    let mut idle = Connection::open(&server).await;
    idle.ask("GET", "/health", "").await;
    assert_eq!(idle.answer().await.status, 200);

    server.stop();
    assert_eq!(idle.ended().await, "", "nobody waits for an idle connection");
    assert!(TcpStream::connect(server.address).await.is_err(), "the port is closed");
    go.add_permits(1);
    let answer = waiting.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert_eq!(waiting.ended().await, "");
    server.stopped().await;
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_abandoned_and_counted() {
    let record = Record::default();
    let (jobs, mut waits, _go) = WaitingJobs::new();
    let mut scene = Scene::new();
    scene.metrics = Some(record.metrics(&scene.settings));
    let limits = ServeLimits { drain: SOON, ..ServeLimits::default() };
    let server = Server::start(scene.app_over(jobs), limits).await;
    let mut waiting = Connection::open(&server).await;
    waiting.ask("GET", &job(), "").await;
    assert_eq!(waits.recv().await, Some(Wait::Began));
    server.stop();
    server.stopped().await;
    assert_eq!(waits.recv().await, Some(Wait::Dropped));
    assert_eq!(waiting.ended().await, "");
    let expected = ("/api/v1/jobs/{id}".to_owned(), HttpMethod::Get, HttpEnd::Disconnected, false);
    assert_eq!(record.finished(), [expected]);
}

#[tokio::test]
async fn a_server_that_is_stopped_before_it_begins_ends() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    server.stop();
    server.stopped().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_below_the_application() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    let large = format!("GET /health HTTP/1.1\r\nHost: here\r\nX-Large: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "X-One: more\r\n".repeat(65));
    let long = format!("GET /{} HTTP/1.1\r\nHost: here\r\n\r\n", "x".repeat(20_000));
    for (sent, status) in [
        (large.as_str(), 431),
        (&many, 431),
        (&long, 431),
        ("no request\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nno header\r\n\r\n", 400),
        ("POST /api/v1/jobs HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
    ] {
        let mut connection = Connection::open(&server).await;
        connection.send(sent).await;
        let answer = connection.answer().await;
        let told = (answer.status, answer.body.as_str(), answer.header("x-request-id"));
        assert_eq!(told, (status, "", None), "as the document says: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_read_to_its_end() {
    let mut scene = Scene::new();
    scene.jobs.expect_submit().times(1).returning(|_, _, _| Ok(submitted(false)));
    let server = Server::start(scene.app(), ServeLimits::default()).await;
    let mut connection = Connection::open(&server).await;
    let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer write\r\n\
                Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(head).await;
    for part in [r#"{"operation":{"type":"#, r#""node.os.get"},"target":"_any"}"#, ""] {
        connection.send(&format!("{:x}\r\n{part}\r\n", part.len())).await;
    }
    let answer = connection.answer().await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_a_body_is_told_at_once() {
    let mut scene = Scene::new();
    scene.settings.body_limit = 100;
    scene.jobs.expect_retry().times(1).returning(|_, _| Ok(submitted(false)));
    let server = Server::start(scene.app(), ServeLimits::default()).await;
    let head = |length: usize| {
        let path = format!("{}/retry", job());
        format!(
            "POST {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer write\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut fits = Connection::open(&server).await;
    fits.send(&head(2)).await;
    assert_eq!(fits.answer().await.status, 100);
    fits.send("{}").await;
    assert_eq!(fits.answer().await.status, 201);

    let mut too_large = Connection::open(&server).await;
    too_large.send(&head(101)).await;
    assert_eq!(too_large.answer().await.status, 413);
}

#[tokio::test]
async fn a_client_that_sends_before_it_listens_learns_why_it_is_refused_and_can_go_on() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    let length = 6 << 20;
    for (method, path, token, status) in [
        ("POST", "/api/v1/jobs", "write", 413),
        ("POST", "/api/v1/jobs", "expired", 401),
        ("POST", "/nope", "write", 404),
        ("PUT", "/api/v1/jobs", "write", 405),
    ] {
        let mut connection = Connection::open(&server).await;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.send(&head).await;
        connection.send(&" ".repeat(length)).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, status, "{answer:?}");
        connection.ask("GET", "/health", "").await;
        assert_eq!(connection.answer().await.status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn a_client_that_has_far_too_much_to_say_is_told_that_the_connection_ends() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    let mut connection = Connection::open(&server).await;
    let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer write\r\n\
                Content-Type: application/json\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n";
    connection.send(head).await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")), "{answer:?}");
    assert_eq!(connection.ended().await, "");
}
