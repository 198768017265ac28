//! What is shown and written about the configuration is true.

use super::{
    super::{
        schema::{Schema, join},
        yaml::{Entry, NodeKind},
    },
    system::{GOOD, GOOD_WORDS, from_env, from_yaml, variable_of},
};

#[test]
fn what_is_shown_reads_back_as_the_same_settings() {
    let mut text = String::new();
    let first = {
        let env: Vec<(String, String)> = GOOD
            .into_iter()
            .chain(GOOD_WORDS)
            .filter(|(key, _)| !["signing_key", "user", "password"].iter().any(|word| key.ends_with(word)))
            .map(|(key, value)| {
                let value: String = value.chars().filter(|c| !"[]{} ".contains(*c)).collect();
                (variable_of(key), if key == "job.worker.labels" { value.replace(':', "=") } else { value })
            })
            .collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let loaded = from_env(&env).expect("valid");
        text.push_str(&loaded.to_yaml().expect("yaml"));
        loaded.settings
    };
    assert_eq!(from_yaml(&text).expect("reads back").settings, first, "{text}");
    assert!(text.contains("port: 0  # environment variable OSAPI_API__SERVER__PORT"), "{text}");
}

#[test]
fn the_defaults_are_shown_as_they_are_documented() {
    let defaults = from_env(&[]).expect("valid").to_yaml().expect("yaml");
    assert!(defaults.contains("    host: 127.0.0.1  # default\n    port: 8080  # default\n"), "{defaults}");
    assert!(
        defaults.contains("      signing_key:\n") && defaults.contains("    labels: {}  # default\n"),
        "{defaults}"
    );
    assert!(defaults.contains("    age: 24h  # default\n"), "{defaults}");
    assert!(defaults.contains("    hostname: node-1.example  # system hostname\n"), "{defaults}");
}

/// The rows that the documentation must have: a key and its default.
fn documented(entries: &[Entry], prefix: &str) -> Vec<String> {
    let row = |key: &str, default: &str| vec![format!("| `{key}` | {default} |")];
    let rows = |entry: &Entry| {
        let key = join(prefix, &entry.key);
        match &entry.value.kind {
            NodeKind::Map(inner) if !inner.is_empty() => documented(inner, &key),
            NodeKind::Map(_) => row(&key, "`{}`"),
            NodeKind::List(_) => row(&key, "`[]`"),
            NodeKind::Text(text) => row(&key, &format!("`{text}`")),
            NodeKind::Unset => row(&key, "–"),
        }
    };
    entries.iter().flat_map(rows).collect()
}

#[test]
fn every_key_is_documented_with_its_default() {
    let page = include_str!("../../../../docs/configuration.md");
    let schema = Schema::built_in().expect("valid");
    let rows = documented(schema.entries(), "");
    assert_eq!(rows.len(), schema.leaves().len());
    for row in &rows {
        assert!(page.contains(row.as_str()), "docs/configuration.md lacks the row {row}");
    }
    assert_eq!(page.matches("\n| `").count(), rows.len(), "docs/configuration.md has rows for keys that do not exist");
}

#[test]
fn the_sample_file_turns_metrics_on_and_its_comments_are_the_defaults() {
    let sample = include_str!("../../../../osapi.yaml");
    let mut expected = from_env(&[]).expect("valid").settings;
    expected.telemetry.metrics.enabled = true;
    assert_eq!(from_yaml(sample).expect("valid").settings, expected);

    let is_key = |line: &str| {
        line.split_once(':').is_some_and(|(key, _)| key.trim().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let uncomment = |line: &str| line.replacen("# ", "", 1);
    let lines = sample.lines().map(|line| Some(uncomment(line)).filter(|key| is_key(key)).unwrap_or(line.to_owned()));
    let uncommented = lines.collect::<Vec<_>>().join("\n");
    for leaf in Schema::built_in().expect("valid").leaves() {
        let name = format!("{}:", leaf.key.rsplit('.').next().unwrap_or_default());
        assert!(uncommented.lines().any(|line| line.trim().starts_with(&name)), "{name} is not in osapi.yaml");
    }
    assert_eq!(from_yaml(&uncommented).expect(&uncommented).settings, expected);
}
