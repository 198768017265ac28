//! Retention with the permissions that ship: removed jobs leave nothing behind on the server.

use std::{sync::Arc, time::Duration};

use osapi::{
    adapters::{
        clock::SystemClock,
        metrics::NoopMetrics,
        queue::{
            Retention,
            nats::{NatsConfig, NatsQueue, NatsServer},
        },
    },
    ports::{
        driven::JobQueue,
        driving::{JobEvent, JobEvents},
    },
};
use serde_json::json;

use super::installation::{API, WORKER, as_user, at, named, server, shipped, start_api, start_worker};

struct Unheard;

impl JobEvents for Unheard {
    fn committed(&self, _: &[JobEvent]) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_process_may_purge_what_it_removed() {
    let server = server(&shipped());
    let url = server.url();
    let api = start_api(as_user(at(&url), API));
    let _worker = start_worker(named(as_user(at(&url), WORKER), "web-1"));
    api.sees(&["web-1"]);
    for _ in 0..3 {
        let job = api.client.submit(&json!({ "type": "node.uptime.get" }), "web-1", &[("prefer", "wait=30")]);
        assert_eq!(job["status"], "completed");
    }
    assert_eq!(api.process.stop().code(), Some(0));

    let directory = tempfile::tempdir().unwrap();
    let user = |(user, password): (&str, &str)| Some((user.to_owned(), password.to_owned()));
    let config = NatsConfig {
        server: NatsServer { user: user(API), ..NatsServer::at(url.clone()) },
        model_dir: Some(directory.path().to_owned()),
        max_depth: 10,
        lease: Duration::from_secs(2),
        // As if all of it were over.
        retention: Retention { age: Duration::ZERO, max_jobs: 10, max_bytes: 1 << 30 },
        removals_visible: Duration::ZERO,
    };
    let queue = NatsQueue::connect(config, Arc::new(SystemClock), Arc::new(Unheard), Arc::new(NoopMetrics)).await;
    let queue = queue.unwrap();
    let options = async_nats::ConnectOptions::new().user_and_password(API.0.to_owned(), API.1.to_owned());
    let own = options.custom_inbox_prefix("osapi.inbox.api").connect(&url).await.unwrap();
    let context = async_nats::jetstream::new(own);
    let left = async || context.get_stream("osapi-state").await.unwrap().cached_info().state.messages;
    let begun = std::time::Instant::now();
    // The ledger's checkpoint stays, and the room for removals.
    while left().await != 2 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{} records are left", left().await);
        queue.check().await.unwrap();
    }
    assert_eq!(queue.stats().await.unwrap().ledger.created, 3);
    queue.close().await;
}
