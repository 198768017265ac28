//! Tokens as the commands make and check them.

use super::Home;

#[test]
fn a_generated_token_is_alone_on_standard_output_and_valid() {
    let home = Home::new();
    home.make_key();
    let made = home.run(&["token", "generate", "--role", "read", "--subject", "night shift", "--expires-in", "2h"]);
    let token = String::from_utf8(made.stdout).unwrap();
    assert_eq!((token.lines().count(), made.stderr.len()), (1, 0));
    assert_eq!(token.trim().split('.').count(), 3, "{token}");

    let checked = home.run(&["token", "validate", token.trim()]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.starts_with("valid: subject night shift, role read, until "), "{said}");
}

/// A second key would make tokens that the service refuses.
#[test]
fn without_the_key_of_the_service_no_token_is_made_and_no_key() {
    let home = Home::new();
    for (words, from) in [
        (&["token", "generate", "--role", "read"][..], "osapi.yaml, line 1"),
        (&["token", "generate", "--role", "read", "--data-dir", "data"], "flag --data-dir"),
        (&["token", "validate", "nonsense"], "osapi.yaml, line 1"),
    ] {
        let ran = home.run(words);
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.status.code(), ran.stdout.len(), told.lines().count()), (Some(1), 0, 1), "{told}");
        for part in ["data/signing.key", home.path("data/signing.key").to_str().unwrap(), "--config", from] {
            assert!(told.contains(part), "{part} is not in: {told}");
        }
        assert!(!home.path("data").exists());
    }
    // With the configuration of the service, it is its key that signs.
    let (server, client) = home.serve();
    let elsewhere = Home::new();
    let directory = home.path("data");
    let made = elsewhere.run(&["token", "generate", "--role", "read", "--data-dir", directory.to_str().unwrap()]);
    let token = String::from_utf8(made.stdout).unwrap();
    client.with_token(Some(token.trim())).get("/api/v1/workers").expect(200);
    drop(server);
}

#[test]
fn a_token_of_another_key_or_none_at_all_is_not_valid() {
    let (home, other) = (Home::new(), Home::new());
    home.make_key();
    other.make_key();
    let foreign = other.token("admin");
    for token in [foreign.as_str(), "nonsense", ""] {
        let checked = home.run(&["token", "validate", "--output", "json", token]);
        assert_eq!(checked.status.code(), Some(1));
        let said: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(said["valid"], false);
    }
}

#[test]
fn bad_words_are_bad_usage() {
    for args in [
        &["--role", "root"][..],
        &[],
        &["--role", "read", "--expires-in", "soon"],
        &["--role", "read", "--expires-in", "0s"],
        &["--role", "read", "--subject", ""],
    ] {
        let home = Home::new();
        let ran = home.run(&[&["token", "generate"], args].concat());
        assert_eq!((ran.status.code(), ran.stdout.is_empty()), (Some(64), true), "{args:?}");
        assert!(!home.path("data").exists(), "{args:?}");
    }
}
