//! What `promtool` says about configuration, rules and their tests; and that no alert is without tests.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    process::{Command, Output},
};

use serde::Deserialize;

use super::{
    pages::Page,
    rules::{alerts, file, files, recording_rules},
};

/// Runs promtool to its end.
fn promtool(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    let output = Command::new("promtool").args(args).output();
    output.expect("promtool is on the path; `make test` installs it")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_configuration_is_valid_and_finds_its_rules() {
    let path = file("ops/prometheus/prometheus.yml");
    let checked = promtool([OsStr::new("check"), OsStr::new("config"), path.as_os_str()]);
    assert!(checked.status.success(), "{}", said(&checked));
    assert!(said(&checked).contains("2 rule files found"), "{}", said(&checked));
}

#[test]
fn the_rules_pass_all_lints() {
    let flags = ["check", "rules", "--lint=all", "--lint-fatal"].map(Into::into);
    let checked = promtool(flags.into_iter().chain(files("ops/prometheus/rules", ".yml")));
    assert!(checked.status.success(), "{}", said(&checked));
}

/// Writes the rules with links that begin with this base.
fn make_rules(base: &str) -> Output {
    let mut make = Command::new("make");
    make.args(["--silent", "rules", &format!("RUNBOOK_BASE={base}")]).current_dir(env!("CARGO_MANIFEST_DIR"));
    make.output().unwrap()
}

#[test]
fn the_links_of_the_written_rules_lead_to_the_sections_of_the_runbook() {
    let base = "https://git.example.org/osapi/blob/main";
    let made = make_rules(base);
    assert!(made.status.success(), "{}", said(&made));
    let written = files("target/prometheus/rules", ".yml");
    let flags = ["check", "rules", "--lint=all", "--lint-fatal"].map(Into::into);
    let checked = promtool(flags.into_iter().chain(written.clone()));
    assert!(checked.status.success(), "{}", said(&checked));
    let text: String = written.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let links: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert_eq!(links.len(), alerts().len());
    let page = Page::load("docs/runbook.md");
    let anchors: BTreeSet<String> = page.sections().keys().map(|title| title.to_lowercase()).collect();
    for link in links {
        let (place, anchor) = link.split_once('#').unwrap();
        assert_eq!(place, format!("{base}/docs/runbook.md"));
        assert!(anchors.contains(anchor), "{link}");
    }

    for wrong in ["", "docs", "https://a.example/", "https://a b", "https://a|b", "ftp://a.example"] {
        let refused = make_rules(wrong);
        assert!(!refused.status.success() && said(&refused).contains("RUNBOOK_BASE"), "{wrong}: {}", said(&refused));
    }
}

#[test]
fn the_tests_of_the_rules_pass() {
    let flags = ["test", "rules"].map(Into::into);
    let tested = promtool(flags.into_iter().chain(files("ops/prometheus/tests", ".yml")));
    assert!(tested.status.success(), "{}", said(&tested));
}

#[derive(Deserialize)]
struct TestFile {
    rule_files: Vec<String>,
    group_eval_order: Vec<String>,
    tests: Vec<TestGroup>,
}

#[derive(Deserialize)]
struct TestGroup {
    name: String,
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    promql_expr_test: Vec<QueryTest>,
}

#[derive(Deserialize)]
struct AlertTest {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_yaml::Value>,
}

#[derive(Deserialize)]
struct QueryTest {
    expr: String,
    #[serde(default)]
    exp_samples: Vec<serde_yaml::Value>,
}

#[test]
fn every_alert_is_tested_firing_and_quiet_and_every_recorded_series_with_a_value() {
    let mut firing = BTreeSet::new();
    let mut quiet = BTreeSet::new();
    let mut recorded = BTreeSet::new();
    let mut names = BTreeSet::new();
    for path in files("ops/prometheus/tests", ".yml") {
        let tests: TestFile = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(!tests.rule_files.is_empty() && !tests.group_eval_order.is_empty(), "{}", path.display());
        for group in tests.tests {
            for test in group.alert_rule_test {
                if test.exp_alerts.is_empty() { &mut quiet } else { &mut firing }.insert(test.alertname);
            }
            let with_value = group.promql_expr_test.into_iter().filter(|test| !test.exp_samples.is_empty());
            recorded.extend(with_value.map(|test| test.expr));
            assert!(names.insert(group.name.clone()), "two tests have the name {}", group.name);
        }
    }
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(firing, alerts);
    assert_eq!(quiet, alerts);
    let untested: Vec<_> = recording_rules().into_keys().filter(|name| !recorded.contains(name)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}
