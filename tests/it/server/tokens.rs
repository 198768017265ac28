//! Tokens as the commands make and check them.

use super::Home;

#[test]
fn a_generated_token_is_alone_on_standard_output_and_valid() {
    let home = Home::new();
    let made = home.run(&["token", "generate", "--role", "read", "--subject", "night shift", "--expires-in", "2h"]);
    let token = String::from_utf8(made.stdout).unwrap();
    assert_eq!(token.lines().count(), 1);
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    assert!(String::from_utf8(made.stderr).unwrap().contains("made a new signing key: ./data/signing.key"));

    let checked = home.run(&["token", "validate", token.trim()]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.starts_with("valid: subject night shift, role read, until "), "{said}");

    let again = home.run(&["token", "generate", "--role", "read"]);
    assert!(again.stderr.is_empty(), "the key is there now: {again:?}");
}

#[test]
fn a_token_of_another_key_or_none_at_all_is_not_valid() {
    let (home, other) = (Home::new(), Home::new());
    home.token("read");
    let foreign = other.token("admin");
    for token in [foreign.as_str(), "nonsense", ""] {
        let checked = home.run(&["token", "validate", "--output", "json", token]);
        assert_eq!(checked.status.code(), Some(1));
        let said: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(said["valid"], false);
    }
}

#[test]
fn a_check_makes_no_key() {
    let home = Home::new();
    let checked = home.run(&["token", "validate", "nonsense"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8(checked.stderr).unwrap().contains("./data/signing.key"));
    assert!(!home.path("data").exists());
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
