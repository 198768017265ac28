//! The promises of [`osapi::ports::driven::WorkerRegistry`], and what draining means for claims.

use std::time::Duration;

use osapi::{
    domain::{Effect, ExecutionEvent, WorkerState},
    ports::driven::QueueErrorKind,
};

use super::{
    conformance::conformance,
    embedded::Embedded,
    fixture::{Backend, Options, World, hostname, request, worker},
    nats::Nats,
};

conformance! {
    embedded: Embedded,
    nats: Nats;
    [
        a_draining_host_claims_nothing
        what_the_list_says_of_draining_is_what_claims_say
        a_live_namesake_is_refused
        slots_in_use_are_those_that_run
    ]
}

async fn a_draining_host_claims_nothing<B: Backend>() {
    let mut world = World::<B>::new(Options::default());
    assert_eq!(world.registry().set_draining(&hostname("web-1"), true).await.unwrap(), None, "it is not connected");
    world.registry().heartbeat(worker("web-1", 1)).await.unwrap();
    let drained = world.registry().set_draining(&hostname("web-1"), true).await.unwrap().unwrap();
    assert_eq!(drained.state, WorkerState::Draining);
    world.submit(Effect::Read, &["_any"]).await;
    assert!(world.nothing_for("web-1").await);
    // The operator's decision outlives the process.
    world.reopen();
    assert!(world.nothing_for("web-1").await);
    world.registry().heartbeat(worker("web-1", 2)).await.unwrap();
    assert_eq!(world.registry().connected().await.unwrap()[0].state, WorkerState::Draining);
    let queue = world.queue();
    let claim = tokio::spawn(async move { queue.claim(request("web-1", 1)).await });
    world.registry().set_draining(&hostname("web-1"), false).await.unwrap();
    assert_eq!(claim.await.unwrap().unwrap().len(), 1);
}

async fn what_the_list_says_of_draining_is_what_claims_say<B: Backend>() {
    let world = World::<B>::new(Options::default());
    let id = world.submit(Effect::Read, &["web-1"]).await;
    for round in 0..15 {
        world.registry().heartbeat(worker("web-1", 1)).await.unwrap();
        let changes = (0..6).map(|number| {
            let registry = world.registry();
            tokio::spawn(async move { registry.set_draining(&hostname("web-1"), number % 2 == 0).await })
        });
        for change in changes.collect::<Vec<_>>() {
            assert!(change.await.unwrap().unwrap().is_some());
        }
        let shown = world.registry().connected().await.unwrap()[0].state;
        if shown == WorkerState::Draining {
            assert!(world.nothing_for("web-1").await, "round {round}");
        } else {
            let claim = world.claim_one("web-1").await;
            assert!(world.finish(claim.token, ExecutionEvent::WorkerStopped).await);
        }
        assert_eq!(world.status(id).await, "queued");
    }
}

async fn a_live_namesake_is_refused<B: Backend>() {
    let world = World::<B>::new(Options::default());
    world.registry().heartbeat(worker("web-1", 1)).await.unwrap();
    let refused = world.registry().heartbeat(worker("web-1", 2)).await.expect_err("it lives");
    assert_eq!(refused.kind(), QueueErrorKind::HostnameTaken);
    world.registry().leave(&hostname("web-1"), worker("web-1", 2).instance).await.unwrap();
    assert_eq!(world.registry().connected().await.unwrap().len(), 1, "only its own instance removes it");
    world.pass(Duration::from_secs(16));
    assert!(world.registry().connected().await.unwrap().is_empty());
    world.registry().heartbeat(worker("web-1", 2)).await.unwrap();
}

async fn slots_in_use_are_those_that_run<B: Backend>() {
    let world = World::<B>::new(Options::default());
    world.registry().heartbeat(worker("web-1", 1)).await.unwrap();
    let used = async || {
        // A registry may lag behind the queue, but not behind a check of it.
        world.queue().check().await.unwrap();
        world.registry().connected().await.unwrap()[0].slots_used
    };
    world.submit(Effect::Read, &["_any"]).await;
    world.submit(Effect::Read, &["_any"]).await;
    let claims = world.claim("web-1", 2).await;
    assert_eq!(used().await, 2);
    world.finish(claims[0].token, ExecutionEvent::Returned).await;
    assert_eq!(used().await, 1);
}
