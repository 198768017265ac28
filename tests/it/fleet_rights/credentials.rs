//! Credentials files: a server that knows an operator alone, and users whose rights are signed by their account.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::{
    installation::{at, named, shipped, start_api, start_worker},
    refusals::refused,
    wire::allowed,
};
use crate::{queue::nats_server::NatsServer, server::Home};

/// A token about a key, signed by another one.
fn token(signer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = encode(&json!({
        "jti": name, "iat": 1_700_000_000, "iss": signer.public_key(), "sub": subject.public_key(), "name": name,
        "nats": nats,
    }));
    let said = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(signer.sign(said.as_bytes()).unwrap());
    format!("{said}.{signature}")
}

/// A file with a user's token and seed, with the rights that ship for this user.
fn credentials(path: &Path, account: &KeyPair, user: &str) {
    let key = KeyPair::new_user();
    let list = |verb: &str| json!({ "allow": allowed(&shipped(), user, verb) });
    let mut nats = json!({
        "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1,
        "pub": list("publish"), "sub": list("subscribe"),
    });
    if user == "osapi-worker" {
        nats["resp"] = json!({ "max": 1, "ttl": 0 });
    }
    let token = token(account, &key, user, &nats);
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        key.seed().unwrap()
    );
    fs::write(path, text).unwrap();
}

fn with_file(home: Home, path: &Path) -> Home {
    home.with("OSAPI_JOB__QUEUE__NATS__CREDENTIALS_FILE", &path.display().to_string())
}

#[test]
fn a_fleet_works_with_credentials_files_and_strangers_are_refused() {
    let operator = KeyPair::new_operator();
    let [account, system, stranger] = std::array::from_fn(|_| KeyPair::new_account());
    let mut limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
    });
    let of_system = json!({ "type": "account", "version": 2, "limits": limits });
    let of_system = token(&operator, &system, "system", &of_system);
    for limit in ["mem_storage", "disk_storage", "streams", "consumer"] {
        limits[limit] = json!(-1);
    }
    let of_operator = token(&operator, &operator, "operator", &json!({ "type": "operator", "version": 2 }));
    let of_account = json!({ "type": "account", "version": 2, "limits": limits });
    let of_account = token(&operator, &account, "fleet", &of_account);
    let server = NatsServer::with(&format!(
        "jetstream {{ store_dir: STORE }}\noperator: {of_operator}\nresolver: MEMORY\n\
         system_account: {system}\nresolver_preload: {{ {fleet}: {of_account}, {system}: {of_system} }}",
        fleet = account.public_key(),
        system = system.public_key(),
    ));
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str| files.path().join(name);
    credentials(&file("api"), &account, "osapi-api");
    credentials(&file("worker"), &account, "osapi-worker");
    credentials(&file("stranger"), &stranger, "osapi-api");

    let api = start_api(with_file(at(&server.url()), &file("api")));
    let _worker = start_worker(named(with_file(at(&server.url()), &file("worker")), "web-1"));
    let job = api.client.submit(&json!({ "type": "node.uptime.get" }), "_any", &[("prefer", "wait=30")]);
    assert_eq!(job["status"], "completed");
    let home = with_file(at(&server.url()), &file("stranger"));
    refused(&home, &["api", "server", "start"], 1, &["refuses the credentials", "credentials file"]);
}
