//! The worker routes.

use mockall::predicate::eq;
use serde_json::{Value, json};

use super::{
    call::{get, post},
    scene::{Scene, worker},
};
use crate::domain::{Hostname, WorkerState};

fn shown(hostname: &str, state: &str) -> Value {
    json!({
        "hostname": hostname,
        "labels": { "group": "web.dev" },
        "state": state,
        "slots": 10,
        "slots_used": 4,
        "version": "1.2.3",
        "commands_enabled": false,
        "started_at": "2027-01-15T08:00:00Z",
        "last_heartbeat_at": "2027-01-15T08:01:00Z",
        "clock_offset_seconds": -1.5,
    })
}

#[tokio::test]
async fn the_connected_workers_are_listed() {
    let mut scene = Scene::new();
    let fleet = || vec![worker("web-01", WorkerState::Ready), worker("web-02", WorkerState::Draining)];
    scene.workers.expect_list().times(1).returning(move || Ok(fleet()));
    let answer = get("/api/v1/workers").to(&scene.app()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({ "items": [shown("web-01", "ready"), shown("web-02", "draining")] }));
}

#[tokio::test]
async fn a_worker_is_drained_and_comes_back() {
    for (verb, draining, state) in [("drain", true, WorkerState::Draining), ("undrain", false, WorkerState::Ready)] {
        let mut scene = Scene::new();
        let hostname: Hostname = "web-01".parse().expect("a hostname");
        scene
            .workers
            .expect_set_draining()
            .with(eq(hostname), eq(draining))
            .times(1)
            .returning(move |_, _| Ok(worker("web-01", state)));
        let answer = post(&format!("/api/v1/workers/WEB-01/{verb}")).to(&scene.app()).await;
        assert_eq!((answer.status, answer.json()), (200, shown("web-01", state.as_str())), "{verb}");
    }
}
