//! Clients that send nothing more: those that still listen are answered, those that have left are noticed.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

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
/// Longer than anything here takes, and shorter than a wait.
const LONG: Duration = Duration::from_secs(20);

fn waiting(more: &str) -> String {
    let head = format!("GET /api/v1/jobs/{ID} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer read\r\n");
    format!("{head}Prefer: wait=60\r\n{more}\r\n")
}

#[tokio::test]
async fn a_client_that_sends_all_it_has_before_it_listens_is_answered() {
    let mut scene = Scene::new();
    scene.jobs.expect_submit().times(20).returning(|_, _, _| Ok(submitted(false)));
    let server = Server::start(scene.app(), ServeLimits::default()).await;
    let body = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
    let submit = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer write\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let page = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n");
    let long = page("/openapi.json").repeat(20);
    for (request, status, length) in
        [(submit, "201", 100), (page("/health"), "200", 15), (page("/nope"), "404", 100), (long, "200", 1_000_000)]
    {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(server.address).await.expect("a connection");
            stream.write_all(request.as_bytes()).await.expect("room");
            stream.shutdown().await.expect("it is open");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.len() > length, "{answer:.100}");
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_its_answer_with_its_sending_side_closed_gets_it_as_it_is() {
    for expects in [false, true] {
        let (jobs, mut waits, go) = WaitingJobs::new();
        // So soon that all early bytes of the answer were sent before it.
        let limits = ServeLimits { look_again: Duration::from_millis(1), ..ServeLimits::default() };
        let server = Server::start(Scene::new().app_over(jobs), limits).await;
        let mut connection = Connection::open(&server).await;
        if expects {
            let body = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
            let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer write\r\nPrefer: wait=60\r\n\
                        Expect: 100-continue\r\nContent-Type: application/json\r\n";
            connection.send(&format!("{head}Content-Length: {}\r\n\r\n", body.len())).await;
            assert_eq!(connection.answer().await.status, 100);
            connection.send(body).await;
        } else {
            connection.send(&waiting("")).await;
        }
        assert_eq!(waits.recv().await, Some(Wait::Began));
        connection.half_close().await;
        let early = connection.peek_until(7).await;
        assert_eq!(early, "HTTP/1.", "the answer has begun");
        go.add_permits(1);
        let answer = connection.answer().await;
        assert_eq!(answer.status, if expects { 201 } else { 200 }, "{answer:?}");
        assert!(answer.body.starts_with('{') && answer.body.ends_with('}'), "{answer:?}");
        assert_eq!(connection.ended().await, "");
        assert_eq!(waits.recv().await, Some(Wait::Ended));
    }
}

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// It closes.
    Closes,
    /// It closes without a word to the end.
    Resets,
    /// It says that it sends nothing more, and closes later.
    HalfClosesFirst,
    /// The same, and it has read what came until then.
    ReadsAndCloses,
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    use Leaving::{Closes, HalfClosesFirst, ReadsAndCloses, Resets};
    for leaving in [Closes, Resets, HalfClosesFirst, ReadsAndCloses] {
        for (earlier, pipelined) in [(0, ""), (1, ""), (0, "GE"), (0, "GET /health HTTP/1.1\r\nHost: here\r\n\r\n")] {
            let what = format!("{leaving:?} after {earlier}, with {pipelined:?}");
            let record = Record::default();
            let (jobs, mut waits, _go) = WaitingJobs::new();
            let mut scene = Scene::new();
            scene.metrics = Some(record.metrics(&scene.settings));
            let limits = ServeLimits { look_again: SOON, ..ServeLimits::default() };
            let server = Server::start(scene.app_over(jobs), limits).await;
            let mut connection = Connection::open(&server).await;
            for _ in 0..earlier {
                connection.ask("GET", "/health", "").await;
                connection.answer().await;
            }
            record.finished();
            connection.send(&format!("{}{pipelined}", waiting(""))).await;
            assert_eq!(waits.recv().await, Some(Wait::Began));
            match leaving {
                Closes => drop(connection),
                Resets => connection.reset(),
                HalfClosesFirst => {
                    connection.half_close().await;
                    connection.peek_until(1).await;
                    drop(connection);
                }
                ReadsAndCloses => {
                    connection.half_close().await;
                    connection.skip(1).await;
                    drop(connection);
                }
            }
            let dropped = timeout(LONG, waits.recv()).await;
            assert_eq!(dropped, Ok(Some(Wait::Dropped)), "{what}");
            server.stop();
            server.stopped().await;
            let expected = ("/api/v1/jobs/{id}".to_owned(), HttpMethod::Get, HttpEnd::Disconnected, true);
            assert_eq!(record.finished(), [expected], "{what}");
        }
    }
}

#[tokio::test]
async fn a_client_that_sends_far_too_much_and_leaves_is_noticed_when_it_resets() {
    let (jobs, mut waits, _go) = WaitingJobs::new();
    let server = Server::start(Scene::new().app_over(jobs), ServeLimits::default()).await;
    let mut connection = Connection::open(&server).await;
    connection.send(&format!("{}{}", waiting(""), "x".repeat(100_000))).await;
    assert_eq!(waits.recv().await, Some(Wait::Began));
    connection.reset();
    assert_eq!(timeout(LONG, waits.recv()).await, Ok(Some(Wait::Dropped)));
}
