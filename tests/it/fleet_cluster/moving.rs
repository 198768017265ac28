//! The streams of a single server, moved into a cluster as a backup tool does it.

use std::time::Instant;

use async_nats::{Client as Nats, client::RequestErrorKind, connect};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    cluster::{Cluster, LOOK_AGAIN, PATIENCE, STREAMS},
    rolling::{api, home},
};
use crate::queue::nats_server::NatsServer;

/// A stream that was taken out of a server.
struct Backup {
    name: &'static str,
    /// Its configuration and state.
    about: Value,
    chunks: Vec<Vec<u8>>,
}

async fn ask(nats: &Nats, subject: String, question: &Value) -> Value {
    let answer = nats.request(subject, question.to_string().into()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    answer
}

async fn take(nats: &Nats, name: &'static str) -> Backup {
    let inbox = nats.new_inbox();
    let mut delivered = nats.subscribe(inbox.clone()).await.unwrap();
    let about = ask(nats, format!("$JS.API.STREAM.SNAPSHOT.{name}"), &json!({ "deliver_subject": inbox })).await;
    let mut chunks = Vec::new();
    loop {
        let chunk = delivered.next().await.unwrap();
        if chunk.payload.is_empty() {
            return Backup { name, about, chunks };
        }
        chunks.push(chunk.payload.to_vec());
        if let Some(reply) = chunk.reply {
            nats.publish(reply, "".into()).await.unwrap();
        }
    }
}

/// Sends a part, as soon as this server knows where it is awaited: that may be another one, which has just begun to.
async fn send(nats: &Nats, to: &str, part: Vec<u8>) -> Vec<u8> {
    let begun = Instant::now();
    loop {
        match nats.request(to.to_owned(), part.clone().into()).await {
            Ok(answer) => return answer.payload.to_vec(),
            Err(error) => {
                assert!(error.kind() == RequestErrorKind::NoResponders && begun.elapsed() < PATIENCE, "{error}");
                sleep(LOOK_AGAIN).await;
            }
        }
    }
}

async fn put(nats: &Nats, backup: Backup) {
    let about = json!({ "config": backup.about["config"], "state": backup.about["state"] });
    let begun = ask(nats, format!("$JS.API.STREAM.RESTORE.{}", backup.name), &about).await;
    let to = begun["deliver_subject"].as_str().unwrap();
    for chunk in backup.chunks {
        send(nats, to, chunk).await;
    }
    let ended: Value = serde_json::from_slice(&send(nats, to, Vec::new()).await).unwrap();
    assert!(ended["error"].is_null(), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_single_server_kept_can_be_moved_into_a_cluster() {
    let single = NatsServer::start();
    let at_single = home("1").with("OSAPI_JOB__QUEUE__NATS__URL", &single.url());
    let worker_of = |home: crate::server::Home| home.with("OSAPI_JOB__WORKER__HOSTNAME", "web-1");
    let (process, client) = api(&at_single);
    let read = json!({ "type": "node.uptime.get" });
    let at_worker = worker_of(home("1").with("OSAPI_JOB__QUEUE__NATS__URL", &single.url()));
    let worker = at_worker.start_as(&["job", "worker", "start"], "metrics");
    let ended = client.submit(&read, "_any", &[("idempotency-key", "k"), ("prefer", "wait=30")]);
    assert_eq!(ended["status"], "completed");
    assert_eq!(worker.stop().code(), Some(0));
    let waiting = client.submit(&read, "_any", &[]);
    assert_eq!(process.stop().code(), Some(0));

    let nats = connect(single.url()).await.unwrap();
    let mut backups = Vec::new();
    for name in STREAMS {
        backups.push(take(&nats, name).await);
    }
    let _cluster = Cluster::start().await;
    let nats = Cluster::context().await.client();
    for backup in backups {
        put(&nats, backup).await;
    }

    let at_cluster = home("3");
    let (_process, client) = api(&at_cluster);
    Cluster::until_copies(3).await;
    let stats = client.stats();
    assert_eq!((&stats["ledger"]["created"], &stats["by_status"]["queued"]), (&json!(2), &json!(1)), "{stats}");
    let body = json!({ "operation": read, "target": "_any" });
    let again = client.post_with("/api/v1/jobs", &[("idempotency-key", "k")], &body).expect(200);
    assert_eq!(again["id"], ended["id"]);
    let at_worker = worker_of(home("3"));
    let _worker = at_worker.start_as(&["job", "worker", "start"], "metrics");
    assert_eq!(client.ended(waiting["id"].as_str().unwrap())["status"], "completed");
}
