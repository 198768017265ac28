//! What the users of the configuration that ships may not do, said by the server to a client that tries.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{ConnectOptions, Event, ServerError};
use futures_util::StreamExt;
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use super::installation::{API, WORKER, as_user, at, named, server, shipped, start_api, start_worker};

const PATIENCE: Duration = Duration::from_mins(1);

/// What would end or falsify an installation, or tell a worker what does not concern it.
const NOT_FOR_WORKERS: [&str; 26] = [
    "osapi.control.00000000000000000000000000000000",
    "osapi.inbox.worker.x.y",
    "osapi.work.any",
    "osapi.state.job.01890a5d-ac96-774b-bcce-b302099a8057.record",
    "osapi.state.job.01890a5d-ac96-774b-bcce-b302099a8057.cancel",
    "osapi.state.job.01890a5d-ac96-774b-bcce-b302099a8057.done",
    "osapi.state.ledger",
    "osapi.state.draining.web-1",
    "osapi.keys.0f",
    "osapi.inbox.api.x.y",
    "$JS.API.STREAM.INFO.osapi-keys",
    "$JS.API.STREAM.MSG.GET.osapi-keys",
    "$JS.API.DIRECT.GET.osapi-keys",
    "$JS.API.DIRECT.GET.osapi-keys.osapi.keys.0f",
    "$JS.API.DIRECT.GET.osapi-state",
    "$JS.API.STREAM.NAMES",
    "$JS.API.CONSUMER.CREATE.osapi-state",
    "$JS.API.CONSUMER.CREATE.osapi-keys",
    "$JS.API.CONSUMER.CREATE.osapi-workers",
    "$JS.API.CONSUMER.DURABLE.CREATE.osapi-work.any-plain",
    "$JS.API.CONSUMER.DELETE.osapi-work.any-plain",
    "$JS.API.CONSUMER.LIST.osapi-work",
    "$JS.API.STREAM.SNAPSHOT.osapi-state",
    "$JS.API.STREAM.RESTORE.osapi-state",
    "$JS.API.META.LEADER.STEPDOWN",
    "$JS.API.STREAM.LEADER.STEPDOWN.osapi-state",
];
const NOT_HEARD_BY_WORKERS: [&str; 6] =
    [">", "osapi.>", "osapi.inbox.>", "osapi.inbox.api.>", "osapi.state.>", "osapi.keys.*"];
const NOT_FOR_API_PROCESSES: [&str; 3] =
    ["osapi.workers.host.web-1", "$JS.API.CONSUMER.DELETE.osapi-work.any-plain", "$JS.API.STREAM.SNAPSHOT.osapi-state"];
const NOT_HEARD_BY_API_PROCESSES: [&str; 3] = [">", "osapi.inbox.worker.>", "$JS.ACK.>"];

/// Everything about each stream that only an administrator does, or only an API process.
fn about_streams(verbs: &[&str]) -> impl Iterator<Item = String> {
    let kinds = ["state", "work", "workers", "keys"];
    verbs.iter().flat_map(move |verb| kinds.map(|kind| format!("$JS.API.STREAM.{verb}.osapi-{kind}")))
}

/// Tries all of it as this user, until the server has refused all of it.
async fn is_refused(url: &str, (user, password): (&str, &str), published: BTreeSet<String>, subscribed: &[&str]) {
    let (told, mut said) = mpsc::unbounded_channel();
    let options = ConnectOptions::new().user_and_password(user.to_owned(), password.to_owned());
    let options = options.event_callback(move |event| {
        if let Event::ServerError(ServerError::Other(said)) = event {
            let _ = told.send(said);
        }
        std::future::ready(())
    });
    let client = options.connect(url).await.unwrap();
    let mut expected: BTreeSet<String> = BTreeSet::new();
    for subject in published {
        client.publish(subject.clone(), "{}".into()).await.unwrap();
        expected.insert(format!("Permissions Violation for Publish to \"{subject}\""));
    }
    for subject in subscribed {
        drop(client.subscribe((*subject).to_owned()).await.unwrap());
        expected.insert(format!("Permissions Violation for Subscription to \"{subject}\""));
    }
    client.flush().await.unwrap();
    while !expected.is_empty() {
        let said = timeout(PATIENCE, said.recv()).await;
        let Ok(Some(said)) = said else { panic!("not refused: {expected:#?}") };
        expected.remove(said.trim_matches('\''));
    }
}

/// Tries to answer a question that a worker asks itself, to a subject that it may not publish to.
async fn no_answer_goes_elsewhere(url: &str) {
    let (told, mut said) = mpsc::unbounded_channel();
    let options = ConnectOptions::new().user_and_password(WORKER.0.to_owned(), WORKER.1.to_owned());
    let options = options.event_callback(move |event| {
        let _ = told.send(event.to_string());
        std::future::ready(())
    });
    let client = options.connect(url).await.unwrap();
    let mut questions = client.subscribe("osapi.alive.own").await.unwrap();
    client.publish_with_reply("osapi.alive.own", "osapi.state.ledger", "?".into()).await.unwrap();
    let question = timeout(PATIENCE, questions.next()).await.expect("it comes").unwrap();
    client.publish(question.reply.unwrap(), "{}".into()).await.unwrap();
    client.flush().await.unwrap();
    let refused = async { while !said.recv().await.unwrap().contains("Publish to \"osapi.state.ledger\"") {} };
    timeout(PATIENCE, refused).await.expect("it is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_cannot_change_streams_write_jobs_or_read_keys_and_nobody_deletes_streams() {
    let server = server(&shipped());
    let url = server.url();
    let api = start_api(as_user(at(&url), API));
    let client = &api.client;
    let _worker = start_worker(named(as_user(at(&url), WORKER), "web-1"));
    api.sees(&["web-1"]);
    let read = json!({ "type": "node.uptime.get" });
    let job = client.submit(&read, "web-1", &[("idempotency-key", "k"), ("prefer", "wait=30")]);
    assert_eq!(job["status"], "completed");

    let of_streams = about_streams(&["CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE"]);
    let published = NOT_FOR_WORKERS.map(str::to_owned).into_iter().chain(of_streams).collect();
    is_refused(&url, WORKER, published, &NOT_HEARD_BY_WORKERS).await;
    no_answer_goes_elsewhere(&url).await;
    let of_streams = about_streams(&["DELETE", "MSG.DELETE"]);
    let purges = ["work", "workers", "keys"].map(|kind| format!("$JS.API.STREAM.PURGE.osapi-{kind}"));
    let published = NOT_FOR_API_PROCESSES.map(str::to_owned).into_iter().chain(of_streams).chain(purges).collect();
    is_refused(&url, API, published, &NOT_HEARD_BY_API_PROCESSES).await;

    let body = json!({ "operation": read, "target": "web-1" });
    let again = client.post_with("/api/v1/jobs", &[("idempotency-key", "k")], &body).expect(200);
    assert_eq!(again["id"], job["id"], "nothing is gone");
    assert_eq!(client.submit(&read, "web-1", &[("prefer", "wait=30")])["status"], "completed");
}
