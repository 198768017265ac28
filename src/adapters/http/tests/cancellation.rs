//! Requests whose clients leave before the answer.

use futures_util::{FutureExt, stream};
use poem::{Body, Endpoint};

use super::{
    call::{call, get, post},
    record::Record,
    scene::{ID, Scene},
    waiting_jobs::{Wait, WaitingJobs},
};
use crate::ports::driven::{HttpEnd, HttpMethod};

#[tokio::test]
async fn a_request_that_is_dropped_drops_its_handler_and_is_counted_once() {
    for prefer in [None, Some("wait=60")] {
        let record = Record::default();
        let (jobs, mut waits, _go) = WaitingJobs::new();
        let mut scene = Scene::new();
        scene.metrics = Some(record.metrics(&scene.settings));
        let app = scene.app_over(jobs);
        let mut request = get(&format!("/api/v1/jobs/{ID}"));
        if let Some(prefer) = prefer {
            request = request.header("prefer", prefer);
        }
        let mut answer = Box::pin(app.call(request.request()));
        assert!((&mut answer).now_or_never().is_none(), "the handler waits");
        assert_eq!(waits.recv().await, Some(Wait::Began));
        drop(answer);
        assert_eq!(waits.recv().await, Some(Wait::Dropped));
        let expected = ("/api/v1/jobs/{id}".to_owned(), HttpMethod::Get, HttpEnd::Disconnected, prefer.is_some());
        assert_eq!(record.finished(), [expected]);
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_while_its_body_comes_is_counted_once() {
    let record = Record::default();
    let mut scene = Scene::new();
    scene.metrics = Some(record.metrics(&scene.settings));
    let app = scene.app();
    let endless = Body::from_bytes_stream(stream::pending::<Result<&str, std::io::Error>>());
    let answer = app.call(post("/api/v1/jobs").chunked(endless).request());
    assert!(answer.now_or_never().is_none(), "the body is awaited");
    let expected = ("/api/v1/jobs".to_owned(), HttpMethod::Post, HttpEnd::Disconnected, false);
    assert_eq!(record.finished(), [expected]);
}

#[tokio::test]
async fn a_dropped_request_leaves_the_others_alone() {
    let record = Record::default();
    let (jobs, mut waits, go) = WaitingJobs::new();
    let mut scene = Scene::new();
    scene.metrics = Some(record.metrics(&scene.settings));
    let app = scene.app_over(jobs);
    let job = format!("/api/v1/jobs/{ID}");
    let mut stays = Box::pin(get(&job).to(&app));
    let mut leaves = Box::pin(call("HEAD", &job).token("read").to(&app));
    assert!((&mut stays).now_or_never().is_none() && (&mut leaves).now_or_never().is_none());
    drop(leaves);
    go.add_permits(1);
    assert_eq!(stays.await.status, 200);
    for expected in [Wait::Began, Wait::Began, Wait::Dropped, Wait::Ended] {
        assert_eq!(waits.recv().await, Some(expected));
    }
    let ended = |method, end| ("/api/v1/jobs/{id}".to_owned(), method, end, false);
    assert_eq!(
        record.finished(),
        [ended(HttpMethod::Head, HttpEnd::Disconnected), ended(HttpMethod::Get, HttpEnd::Answered(200))]
    );
}
