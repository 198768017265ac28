//! Servers that cannot be used are refused in one line that says what to do.

use std::{net::TcpListener, sync::Arc};

use osapi::{
    adapters::{
        clock::SystemClock,
        metrics::NoopMetrics,
        queue::nats::{ConnectError, NatsConfig, NatsQueue},
    },
    ports::driven::JobQueue,
};

use super::{
    fixture::{Options, Reports},
    nats::config,
    nats_server::{NatsServer, old_server},
};

async fn connect(config: NatsConfig) -> Result<Arc<NatsQueue>, ConnectError> {
    let reports: Arc<Reports> = Arc::default();
    NatsQueue::connect(config, Arc::new(SystemClock), reports, Arc::new(NoopMetrics)).await
}

async fn refusal(config: NatsConfig) -> String {
    let refused = connect(config).await.err().expect("it is refused").to_string();
    assert!(!refused.contains('\n'), "one line: {refused}");
    refused
}

fn worker(url: String) -> NatsConfig {
    config(url, None, &Options::default())
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    // A port that was free a moment ago.
    let url = format!("nats://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let refused = refusal(worker(url.clone())).await;
    assert!(refused.contains(&url) && refused.contains("can be reached"), "{refused}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_right_one_works() {
    let server = NatsServer::with("jetstream { store_dir: STORE }\nauthorization { user: osapi, password: secret }");
    let mut config = worker(server.url());
    config.server.user = Some(("osapi".to_owned(), "wrong".to_owned()));
    let refused = refusal(config.clone()).await;
    assert!(refused.contains("refuses the credentials") && !refused.contains("wrong"), "{refused}");
    config.server.user = Some(("osapi".to_owned(), "secret".to_owned()));
    connect(config).await.unwrap().close().await;
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    let server = NatsServer::with("");
    let refused = refusal(worker(server.url())).await;
    assert!(refused.contains("JetStream is off") && refused.contains("enable it"), "{refused}");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let users = "authorization { users: [{ user: osapi, password: secret, permissions: { publish: \"osapi.>\" } }] }";
    let server = NatsServer::with(&format!("jetstream {{ store_dir: STORE }}\n{users}"));
    let mut config = worker(server.url());
    config.server.user = Some(("osapi".to_owned(), "secret".to_owned()));
    let refused = refusal(config).await;
    assert!(refused.contains("lacks a permission") && refused.contains("$JS.API"), "{refused}");
}

#[tokio::test]
async fn an_old_server_is_refused_with_its_version() {
    let refused = refusal(worker(old_server())).await;
    assert!(refused.contains("2.9.10") && refused.contains("2.10"), "{refused}");
}

#[tokio::test]
async fn a_prefix_that_is_no_token_is_refused() {
    let mut config = worker("nats://127.0.0.1:1".to_owned());
    config.server.prefix = "a.b".to_owned();
    let refused = refusal(config).await;
    assert!(refused.contains("\"a.b\""), "{refused}");
}

#[tokio::test]
async fn processes_that_share_a_directory_keep_a_copy_each_and_take_over_those_that_are_free() {
    let (server, directory) = (NatsServer::start(), tempfile::tempdir().unwrap());
    let config = config(server.url(), Some(directory.path()), &Options::default());
    let copies = || {
        let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut copies: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        copies.retain(|name| name.strip_suffix(".db").is_some());
        copies.sort();
        copies
    };
    let (first, second) = (connect(config.clone()).await.unwrap(), connect(config.clone()).await.unwrap());
    assert_eq!(copies(), ["read-model-2.db", "read-model.db"]);
    first.check().await.unwrap();
    second.check().await.unwrap();
    first.close().await;
    let third = connect(config).await.unwrap();
    third.check().await.unwrap();
    assert_eq!(copies(), ["read-model-2.db", "read-model.db"]);
    second.close().await;
    third.close().await;
}
