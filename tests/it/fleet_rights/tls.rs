//! Connections that must be secure, with certificates that are made for the test.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::{
    installation::{at, named, start_api, start_worker},
    refusals::refused,
};
use crate::{queue::nats_server::NatsServer, server::Home};

/// An authority.
struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// Makes one, and writes its certificate.
    fn new(directory: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        Self { certificate, key }
    }

    /// Signs a certificate for 127.0.0.1, and writes it with its key.
    fn sign(&self, directory: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        fs::write(directory.join(format!("{name}.pem")), signed.pem()).unwrap();
        fs::write(directory.join(format!("{name}-key.pem")), key.serialize_pem()).unwrap();
    }
}

/// A server that speaks TLS with clients whose certificates it trusts.
struct Scene {
    files: TempDir,
    server: NatsServer,
}

impl Scene {
    fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let authority = Authority::new(files.path(), "authority");
        authority.sign(files.path(), "server");
        authority.sign(files.path(), "client");
        Authority::new(files.path(), "other").sign(files.path(), "stranger");
        let file = |name: &str| files.path().join(name).display().to_string();
        let server = NatsServer::with(&format!(
            "jetstream {{ store_dir: STORE }}\n\
             tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
            file("server.pem"),
            file("server-key.pem"),
            file("authority.pem"),
        ));
        Self { files, server }
    }

    fn home(&self, scheme: &str, authority: Option<&str>, certificate: Option<&str>) -> Home {
        let file = |name: String| self.files.path().join(name).display().to_string();
        let key = |name: &str| format!("OSAPI_JOB__QUEUE__NATS__TLS__{name}");
        let mut home = at(&self.server.url().replace("nats://", scheme));
        if let Some(name) = authority {
            home = home.with(&key("CA_FILE"), &file(format!("{name}.pem")));
        }
        if let Some(name) = certificate {
            home = home.with(&key("CERTIFICATE_FILE"), &file(format!("{name}.pem")));
            home = home.with(&key("KEY_FILE"), &file(format!("{name}-key.pem")));
        }
        home
    }
}

#[test]
fn a_fleet_works_over_connections_on_which_both_sides_show_certificates() {
    let scene = Scene::new();
    let home = || scene.home("tls://", Some("authority"), Some("client"));
    let api = start_api(home());
    let _worker = start_worker(named(home(), "web-1"));
    let job = api.client.submit(&json!({ "type": "node.uptime.get" }), "_any", &[("prefer", "wait=30")]);
    assert_eq!(job["status"], "completed");
}

#[test]
fn who_is_not_trusted_is_refused_on_either_side() {
    let scene = Scene::new();
    let url = scene.server.url().replace("nats://", "");
    for (authority, certificate) in [
        (None, Some("client")),
        (Some("other"), Some("client")),
        (Some("authority"), None),
        (Some("authority"), Some("stranger")),
    ] {
        for scheme in ["tls://", "nats://"] {
            let home = scene.home(scheme, authority, certificate);
            refused(&home, &["api", "server", "start"], 1, &["no secure connection", &url, "check the certificates"]);
        }
    }
}

#[test]
fn a_server_without_tls_is_refused_where_the_connection_must_be_secure() {
    let scene = Scene::new();
    let plain = NatsServer::start();
    let home = scene
        .home("tls://", Some("authority"), None)
        .with("OSAPI_JOB__QUEUE__NATS__URL", &plain.url().replace("nats://", "tls://"));
    refused(&home, &["api", "server", "start"], 1, &["no secure connection"]);
}
