//! Starts that are refused: exit 1 and one line that says what to do, exit 64 where the configuration is wrong.

use std::net::TcpListener;

use super::installation::{self, API, Api, WORKER, as_user, named, server, shipped, start_api, start_worker, until};
use crate::{
    queue::nats_server::{NatsServer, old_server},
    server::Home,
};

const API_WORDS: [&str; 3] = ["api", "server", "start"];
const WORKER_WORDS: [&str; 3] = ["job", "worker", "start"];

/// Configured for the server at this address.
fn at(url: &str, words: &[&str]) -> Home {
    let home = Home::new().with("OSAPI_JOB__QUEUE__BACKEND", "nats").with("OSAPI_JOB__QUEUE__NATS__URL", url);
    if words == API_WORDS {
        home.with("OSAPI_API__SERVER__SECURITY__SIGNING_KEY", "what all API processes of one fleet share")
    } else {
        home.with("OSAPI_JOB__WORKER__LISTEN", "127.0.0.1:0")
    }
}

/// What a start says that must end with this code: one line, with these words.
pub(super) fn refused(home: &Home, words: &[&str], code: i32, expected: &[&str]) {
    let ended = home.run(words);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(code), 0), "{words:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
    assert!(said.starts_with("osapi: "), "{said}");
    for expected in expected {
        assert!(said.contains(expected), "{words:?} does not say {expected:?}: {said}");
    }
}

/// Of both kinds of processes.
fn both_refused(url: &str, change: impl Fn(Home) -> Home, code: i32, expected: &[&str]) {
    for words in [API_WORDS, WORKER_WORDS] {
        refused(&change(at(url, &words)), &words, code, expected);
    }
}

#[test]
fn servers_that_cannot_be_used_are_refused() {
    let nobody = format!("nats://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    both_refused(&nobody, |home| home, 1, &[&nobody, "can be reached", "start one, or correct the address"]);
    both_refused(&old_server(), |home| home, 1, &["2.9.10", "at least 2.10", "upgrade it"]);
    let plain = NatsServer::with("");
    both_refused(&plain.url(), |home| home, 1, &["JetStream is off on the NATS server", "enable it"]);
    let account = "jetstream { store_dir: STORE }\naccounts { A { users: [{ user: a, password: b }] } }";
    let account = NatsServer::with(account);
    let user = |home| as_user(home, ("a", "b"));
    both_refused(&account.url(), user, 1, &["JetStream is off for this NATS account", "enable it"]);
    // More copies than one server can keep.
    let single = NatsServer::start();
    let three = at(&single.url(), &API_WORDS).with("OSAPI_JOB__QUEUE__NATS__REPLICAS", "3");
    refused(&three, &API_WORDS, 1, &["osapi-state", "job.queue.nats.replicas"]);
}

#[test]
fn users_that_may_not_are_refused() {
    let server = server(&shipped());
    let as_anybody = |home| home;
    both_refused(
        &server.url(),
        as_anybody,
        1,
        &["asks for credentials, and none are configured", "job.queue.nats.user"],
    );
    for user in [(API.0, "wrong"), ("nobody", API.1)] {
        both_refused(&server.url(), |home| as_user(home, user), 1, &["refuses the credentials"]);
    }
    // The worker's user is no API process.
    let mistaken = as_user(at(&server.url(), &API_WORDS), WORKER);
    refused(&mistaken, &API_WORDS, 1, &["lacks a permission", "osapi.inbox.api", "docs/deploy-fleet.md"]);
}

/// The configuration that ships, without one permission of workers, on a server with an API process.
fn without(missing: &str) -> (NatsServer, Api, Home) {
    let file = shipped();
    let (for_api, for_workers) = file.split_once("user: osapi-worker").unwrap();
    assert!(for_workers.contains(missing), "{missing}");
    let server = server(&format!("{for_api}user: osapi-worker{}", for_workers.replace(missing, "")));
    let api = start_api(as_user(installation::at(&server.url()), API));
    let home = named(as_user(at(&server.url(), &WORKER_WORDS), WORKER), "web-1");
    (server, api, home)
}

#[test]
fn a_permission_that_a_worker_lacks_is_named_when_it_starts() {
    for (missing, told) in [
        ("\"$JS.API.STREAM.INFO.osapi-work\", ", "Publish to \"$JS.API.STREAM.INFO.osapi-work\""),
        ("\"osapi.workers.host.*\", ", "Publish to \"osapi.workers.host.web-1\""),
        ("\"$JS.API.STREAM.MSG.GET.osapi-state\", ", "Publish to \"$JS.API.STREAM.MSG.GET.osapi-state\""),
        ("\"osapi.inbox.worker.>\", ", "Subscription to \"osapi.inbox.worker."),
    ] {
        let (_server, _api, home) = without(missing);
        let ended = home.run(&WORKER_WORDS);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{missing}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("osapi: ") && last.contains("lacks a permission") && last.contains(told), "{said}");
    }
}

#[test]
fn a_permission_that_a_worker_lacks_later_is_named_in_its_log() {
    let (_server, _api, home) = without("\"$JS.API.CONSUMER.CREATE.osapi-work.>\"");
    let worker = start_worker(home);
    let told =
        "lacks a permission (Permissions Violation for Publish to \"$JS.API.CONSUMER.CREATE.osapi-work.host-web-1.";
    until("it is named", || worker.process.log().contains(told));
}

#[test]
fn files_that_are_not_there_or_not_what_they_should_be_are_named() {
    let server = NatsServer::start();
    for key in ["CREDENTIALS_FILE", "TLS__CA_FILE"] {
        let variable = format!("OSAPI_JOB__QUEUE__NATS__{key}");
        both_refused(&server.url(), |home| home.with(&variable, "/nowhere/file"), 1, &["cannot read /nowhere/file"]);
    }
    let home = at(&server.url(), &API_WORDS).with("OSAPI_JOB__QUEUE__NATS__CREDENTIALS_FILE", "user.creds");
    std::fs::write(home.path("user.creds"), "nothing of the kind").unwrap();
    refused(&home, &API_WORDS, 1, &["cannot read user.creds"]);
}

#[test]
fn configuration_mistakes_end_with_64_before_anything_is_tried() {
    let url = "nats://127.0.0.1:1";
    for (name, value, key) in [
        ("URL", "http://a:1", "job.queue.nats.url"),
        ("REPLICAS", "2", "job.queue.nats.replicas"),
        ("PREFIX", "a.b", "job.queue.nats.prefix"),
        ("USER", "only", "job.queue.nats.password"),
        ("PASSWORD", "only", "job.queue.nats.user"),
        ("TLS__KEY_FILE", "only", "job.queue.nats.tls.certificate_file"),
    ] {
        let variable = format!("OSAPI_JOB__QUEUE__NATS__{name}");
        for words in [API_WORDS, WORKER_WORDS] {
            let ended = at(url, &words).with(&variable, value).run(&words);
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(64), "{said}");
            assert!(said.contains(key), "{said}");
        }
    }
    refused(&Home::new(), &WORKER_WORDS, 64, &["job.queue.backend", "osapi start"]);
    let without_key = Home::new().with("OSAPI_JOB__QUEUE__BACKEND", "nats");
    refused(&without_key, &API_WORDS, 64, &["api.server.security.signing_key"]);
}
