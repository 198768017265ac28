//! Liveness, readiness and the report.

use std::time::Duration;

use serde_json::json;

use super::{
    call::{call, get},
    scene::{Scene, stats},
};
use crate::ports::{
    driven::{Durability, QueueInfo},
    driving::{ComponentHealth, HealthReport, Readiness},
};

fn readiness(queue: Option<&str>) -> Readiness {
    let component = |name, message: Option<&str>| ComponentHealth {
        name,
        up: message.is_none(),
        message: message.map(str::to_owned),
    };
    Readiness { components: vec![component("queue", queue), component("workers", None)] }
}

fn report(queue_is_up: bool) -> HealthReport {
    HealthReport {
        version: "1.2.3",
        uptime: Duration::from_millis(1500),
        readiness: readiness((!queue_is_up).then_some("the disk is gone")),
        queue: QueueInfo { backend: "embedded", durability: Durability::PowerLoss },
        stats: queue_is_up.then(stats),
        workers: queue_is_up.then_some(3),
    }
}

#[tokio::test]
async fn a_process_that_answers_is_alive_whatever_its_queue_does() {
    let answer = call("GET", "/health").to(&Scene::new().app()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ok" })));
}

#[tokio::test]
async fn readiness_names_what_does_not_work() {
    let mut scene = Scene::new();
    let mut answers = [readiness(None), readiness(Some("the disk is gone"))].into_iter();
    scene.health.expect_readiness().times(2).returning(move || answers.next().expect("two calls"));
    let app = scene.app();

    let ready = call("GET", "/health/ready").to(&app).await;
    let components = json!([{ "name": "queue", "up": true }, { "name": "workers", "up": true }]);
    assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true, "components": components })));

    let refused = call("GET", "/health/ready").to(&app).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.problem().errors, [("queue".to_owned(), "the disk is gone".to_owned())]);
}

#[tokio::test]
async fn the_report_says_what_can_be_known() {
    let mut scene = Scene::new();
    let mut reports = [report(true), report(false)].into_iter();
    scene.health.expect_report().times(2).returning(move || reports.next().expect("two calls"));
    let app = scene.app();

    let all_is_well = get("/health/status").to(&app).await;
    assert_eq!(all_is_well.status, 200, "{all_is_well:?}");
    let expected = json!({
        "version": "1.2.3",
        "uptime_seconds": 1.5,
        "ready": true,
        "components": [{ "name": "queue", "up": true }, { "name": "workers", "up": true }],
        "queue": {
            "backend": "embedded",
            "durability": "power_loss",
            "figures": { "depth": 1, "oldest_age_seconds": 3.0 },
        },
        "workers_connected": 3,
    });
    assert_eq!(all_is_well.json(), expected);

    let without_queue = get("/health/status").to(&app).await;
    assert_eq!(without_queue.status, 200, "a report that names the failure is an answer");
    let shown = without_queue.json();
    assert_eq!((&shown["ready"], &shown["queue"]["figures"]), (&json!(false), &json!(null)));
    assert_eq!(shown["components"][0], json!({ "name": "queue", "up": false, "message": "the disk is gone" }));
    assert_eq!(shown["workers_connected"], json!(null));
}
