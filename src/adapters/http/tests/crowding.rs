//! More clients than places: who gets in, and who gives way.

use std::{sync::Arc, time::Duration};

use futures_util::stream;
use poem::Body;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::{
    call::{call, get, post},
    connection::{Connection, Server},
    record::Record,
    scene::{ID, Scene, job, submitted, worker},
    waiting_jobs::{Wait, WaitingJobs},
};
use crate::{
    adapters::http::{HttpSettings, ServeLimits},
    domain::{JobStatus, WorkerState},
    ports::driven::{HttpMethod, Limit},
};

/// Short enough for a test to wait it out.
const SOON: Duration = Duration::from_millis(50);
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn waiting_job() -> String {
    format!("/api/v1/jobs/{ID}")
}

async fn crowded(places: usize) -> (Server, Record) {
    let record = Record::default();
    let limits = ServeLimits { connections: places, ..ServeLimits::default() };
    let metrics = record.metrics(&HttpSettings::default());
    (Server::counting(Scene::new().app(), limits, Some(metrics)).await, record)
}

#[tokio::test]
async fn idle_connections_never_keep_a_new_client_out() {
    let (server, record) = crowded(50).await;
    let mut idle = Vec::new();
    for number in 0..200 {
        let mut connection = Connection::open(&server).await;
        match number % 3 {
            0 => {}
            1 => connection.send("GET /health HTTP/1.1\r\nHost: he").await,
            _ => {
                connection.ask("GET", "/health", "").await;
                assert_eq!(connection.answer().await.status, 200, "{number}");
            }
        }
        idle.push(connection);
    }
    let mut newest = Connection::open(&server).await;
    newest.ask("GET", "/health", "").await;
    assert_eq!(newest.answer().await.status, 200);
    assert_eq!(record.limits(), vec![Limit::Connections; 151]);
    for connection in idle.drain(..100) {
        connection.ended().await;
    }
    // The last ones are still served.
    let last = idle.last_mut().expect("many");
    last.send("alth\r\n\r\n").await;
    last.send("GET /health HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert_eq!(last.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_whose_request_runs_is_never_closed_for_a_new_client() {
    let record = Record::default();
    let (jobs, mut waits, go) = WaitingJobs::new();
    let mut scene = Scene::new();
    let metrics = record.metrics(&scene.settings);
    scene.metrics = Some(Arc::clone(&metrics));
    let limits = ServeLimits { connections: 1, ..ServeLimits::default() };
    let server = Server::counting(scene.app_over(jobs), limits, Some(metrics)).await;
    let mut running = Connection::open(&server).await;
    running.ask("GET", &waiting_job(), "Prefer: wait=60\r\n").await;
    assert_eq!(waits.recv().await, Some(Wait::Began));
    let mut new = Connection::open(&server).await;
    new.ask("HEAD", "/health", "").await;
    go.add_permits(1);
    assert_eq!(running.answer().await.status, 200);
    assert_eq!(new.answer_to_head().await.status, 200);
    assert_eq!(running.ended().await, "", "it gave way as soon as it was idle");
    let methods: Vec<HttpMethod> = record.finished().into_iter().map(|(_, method, _, _)| method).collect();
    assert_eq!(methods, [HttpMethod::Get, HttpMethod::Head]);
    assert_eq!(record.limits(), [Limit::Connections]);
}

/// A client that asks for so many long answers and has little room for them.
async fn asks_for_much(server: &Server, answers: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small one");
    let mut stream = socket.connect(server.address).await.expect("a connection");
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: here\r\n\r\n".repeat(answers);
    stream.write_all(requests.as_bytes()).await.expect("room for them");
    stream
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_let_go() {
    let record = Record::default();
    let limits = ServeLimits { answer_time: SOON, ..ServeLimits::default() };
    let metrics = record.metrics(&HttpSettings::default());
    let server = Server::counting(Scene::new().app(), limits, Some(metrics)).await;
    let stream = asks_for_much(&server, 200).await;
    timeout(LONG, stream.ready(Interest::ERROR)).await.expect("the connection is reset").expect("an event");
    server.stop();
    server.stopped().await;
    assert_eq!(record.limits(), [Limit::AnswerTime]);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_all_of_its_answers() {
    let limits = ServeLimits { answer_time: SOON * 8, ..ServeLimits::default() };
    let server = Server::start(Scene::new().app(), limits).await;
    let mut stream = asks_for_much(&server, 60).await;
    stream.shutdown().await.expect("it is open");
    let (mut read, mut pauses) = (0, 0);
    let mut bytes = vec![0; 128 << 10];
    loop {
        match stream.read(&mut bytes).await.expect("all of it") {
            0 => break,
            more => read += more,
        }
        if read >> 18 > pauses {
            pauses += 1;
            sleep(SOON).await;
        }
    }
    assert!(pauses > 8, "slower than the time for one answer: {pauses}");
    let one = call("GET", "/openapi.json").to(&Scene::new().app()).await.body.len();
    assert!(read > 60 * one, "{read}");
}

#[tokio::test]
async fn a_client_that_does_not_read_gives_way_to_a_new_one() {
    let (server, record) = crowded(1).await;
    let _unread = asks_for_much(&server, 200).await;
    let mut new = Connection::open(&server).await;
    new.ask("GET", "/health", "").await;
    assert_eq!(timeout(LONG, new.answer()).await.expect("a place").status, 200);
    assert_eq!(record.limits(), [Limit::Connections]);
}

#[tokio::test]
async fn a_request_that_finds_no_place_to_wait_is_answered_at_once_and_told_nothing_of_its_preference() {
    let body = r#"{"operation":{"type":"node.os.get"},"target":"_any"}"#;
    let (none, own) = ((0, 256), (4096, 0));
    for ((waits, per_subject), reached) in
        [(none, Some(Limit::Waits)), (own, Some(Limit::WaitsPerSubject)), ((4096, 256), None)]
    {
        let record = Record::default();
        let mut scene = Scene::new();
        scene.settings = HttpSettings { waits, waits_per_subject: per_subject, ..scene.settings };
        scene.metrics = Some(record.metrics(&scene.settings));
        let waited = move |wait: &Duration, asked: u64| wait.as_secs() == reached.map_or(asked, |_| 0);
        scene
            .jobs
            .expect_submit()
            .withf(move |_, _, wait| waited(wait, 7))
            .times(1)
            .returning(|_, _, _| Ok(submitted(false)));
        scene
            .jobs
            .expect_submit()
            .withf(move |_, _, wait| waited(wait, 30))
            .times(1)
            .returning(|_, _, _| Ok(submitted(false)));
        scene
            .jobs
            .expect_job()
            .withf(move |_, wait| waited(wait, 60))
            .times(1)
            .returning(|_, _| Ok(job(JobStatus::Running)));
        scene.jobs.expect_job().withf(|_, wait| wait.is_zero()).times(1).returning(|_, _| Ok(job(JobStatus::Running)));
        let app = scene.app();
        let made = post("/api/v1/jobs").header("prefer", "wait=7").json(body).to(&app).await;
        let shown = get(&waiting_job()).header("prefer", "wait=600").to(&app).await;
        let typed = get("/api/v1/nodes/_any/hostname").to(&app).await;
        assert_eq!([made.status, shown.status, typed.status], [201, 200, 202]);
        let applied = [made, shown].map(|answer| answer.header("preference-applied").map(str::to_owned));
        let expected = ["wait=7", "wait=60"].map(|applied| reached.is_none().then(|| applied.to_owned()));
        assert_eq!(applied, expected);
        assert_eq!(record.limits(), reached.map_or(vec![], |limit| vec![limit; 3]));
        // Who does not ask to wait needs no place.
        let at_once = get(&waiting_job()).header("prefer", "wait=abc").to(&app).await;
        assert_eq!((at_once.status, at_once.header("preference-applied")), (200, None));
        assert_eq!(record.limits(), []);
    }
}

#[tokio::test]
async fn a_route_that_takes_no_body_reads_none() {
    let mut scene = Scene::new();
    scene.jobs.expect_job().returning(|_, _| Ok(job(JobStatus::Running)));
    scene.jobs.expect_cancel().returning(|_| Ok(job(JobStatus::Running)));
    scene.workers.expect_set_draining().returning(|_, _| Ok(worker("web-01", WorkerState::Draining)));
    let app = scene.app();
    let unread = || {
        Body::from_bytes_stream(stream::poll_fn(|_| -> std::task::Poll<Option<std::io::Result<&str>>> {
            panic!("the body is read")
        }))
    };
    for request in [
        call("GET", "/health"),
        call("GET", "/docs"),
        call("GET", "/openapi.json"),
        get(&waiting_job()),
        post(&format!("{}/cancel", waiting_job())),
        post("/api/v1/workers/web-01/drain"),
    ] {
        let shown = format!("{request:?}");
        let answer = request.header("content-length", "99999999999").body(unread()).to(&app).await;
        assert_eq!(answer.status, 200, "{shown}: {answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_sends_a_body_to_a_route_without_one_is_answered_and_its_connection_ends() {
    let server = Server::start(Scene::new().app(), ServeLimits::default()).await;
    // Announced and not sent, sent with the head, sent for ever.
    let mut silent = Connection::open(&server).await;
    silent.ask("GET", "/health", "Content-Length: 99999999999\r\n").await;
    let mut whole = Connection::open(&server).await;
    whole.ask("GET", "/health", "Content-Length: 5\r\n").await;
    whole.send("hello").await;
    let mut endless = Connection::open(&server).await;
    endless.ask("GET", "/health", "Transfer-Encoding: chunked\r\n").await;
    endless.send(&"5\r\nhello\r\n".repeat(100_000)).await;
    for mut connection in [silent, whole, endless] {
        let answer = timeout(LONG, connection.answer()).await.expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
        assert_eq!(connection.ended().await, "");
    }
}
