//! The rules, and what they say to whom they wake up.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{annotations, pages::Page, promql::Query, vocabulary::Vocabulary};

/// A file below the root of the project.
pub(super) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file below the root of the project.
pub(super) fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files in a folder with this ending, in order.
pub(super) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(file(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing in {folder}");
    files
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) record: Option<String>,
    pub(super) alert: Option<String>,
    pub(super) expr: String,
    #[serde(rename = "for")]
    _pending: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Rule {
    pub(super) fn query(&self) -> Query {
        Query::read(&self.expr).unwrap()
    }
}

fn groups(name: &str) -> Vec<Group> {
    let rules: RuleFile = serde_yaml::from_str(&text(&format!("ops/prometheus/rules/{name}.yml"))).unwrap();
    rules.groups
}

/// All rules of a file.
fn rules(name: &str) -> Vec<Rule> {
    groups(name).into_iter().flat_map(|group| group.rules).collect()
}

/// The rules that record, with the names of their series.
pub(super) fn recording_rules() -> BTreeMap<String, Rule> {
    rules("recording").into_iter().map(|rule| (rule.record.clone().unwrap(), rule)).collect()
}

/// The rules that alert, by name.
pub(super) fn alerts() -> BTreeMap<String, Rule> {
    rules("alerts").into_iter().map(|rule| (rule.alert.clone().unwrap(), rule)).collect()
}

/// Every name that a query may use.
pub(super) fn vocabulary() -> Vocabulary {
    let queries: Vec<_> = recording_rules().into_iter().map(|(name, rule)| (name, rule.query())).collect();
    Vocabulary::new(queries.iter().map(|(name, query)| (name.as_str(), query)))
}

#[test]
fn rules_name_what_exists() {
    let vocabulary = vocabulary();
    for rule in recording_rules().values().chain(alerts().values()) {
        assert_eq!(vocabulary.problems(&rule.query()), Vec::<String>::new(), "{}", rule.expr);
    }
}

#[test]
fn recorded_names_say_the_labels_that_are_left_and_are_used() {
    let recorded = recording_rules();
    let alerts = alerts();
    let queries = recorded.values().chain(alerts.values()).map(Rule::query);
    let queries: Vec<Query> = queries.chain(super::dashboard::Dashboard::load().queries()).collect();
    for (name, rule) in &recorded {
        let [level, metric, _operation] = name.split(':').collect::<Vec<_>>()[..] else { panic!("{name}") };
        let query = rule.query();
        for label in level.split('_') {
            assert!(query.grouped.contains(label), "{name}: {label} is not kept");
        }
        assert!(!metric.ends_with("_total"), "{name} is no total any more");
        assert!(rule.labels.is_empty() && rule.annotations.is_empty(), "{name}");
        let used = queries.iter().flat_map(|query| &query.selectors).any(|one| one.metric.as_ref() == Some(name));
        assert!(used, "{name} is recorded for nobody");
    }
}

#[test]
fn groups_have_names_of_their_own() {
    // In tests of rules their order is given by name.
    let groups: Vec<_> = ["recording", "alerts"].into_iter().flat_map(groups).collect();
    assert_eq!(groups.iter().map(|group| &group.name).collect::<BTreeSet<_>>().len(), groups.len());
}

#[test]
fn an_alert_says_how_bad_it_is_what_happened_and_what_to_do() {
    let vocabulary = vocabulary();
    for (name, rule) in alerts() {
        assert!(name.starts_with("Osapi"), "{name}");
        let severity: Vec<_> = rule.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(matches!(severity[..], [("severity", "critical" | "warning")]), "{name}: {severity:?}");
        let said: Vec<_> = rule.annotations.keys().map(String::as_str).collect();
        assert_eq!(said, ["description", "runbook_url", "summary"], "{name}");
        let (summary, description) = (&rule.annotations["summary"], &rule.annotations["description"]);
        assert!(!summary.contains("{{") && !summary.ends_with('.'), "{name}: a summary is the same for all");
        assert!(description.ends_with('.'), "{name}: a description is a sentence");
        let offered = vocabulary.offered(&rule.query());
        for label in annotations::labels(description) {
            assert!(offered.contains(&label), "{name}: the result has no label {label}");
        }
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() {
    let page = Page::load("docs/runbook.md");
    let sections = page.sections();
    let alerts = alerts();
    for (name, rule) in &alerts {
        let place = format!("https://osapi.example/docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(rule.annotations["runbook_url"], place);
        let section = sections.get(name.as_str()).unwrap_or_else(|| panic!("the runbook says nothing about {name}"));
        for part in ["**Meaning.**", "**Impact.**", "**Look.**", "**Causes.**", "**Do.**"] {
            assert!(section.contains(part), "{name}: no {part}");
        }
        assert!(section.contains("```"), "{name}: nothing to look at");
    }
    let strangers: Vec<_> =
        sections.keys().filter(|title| title.starts_with("Osapi") && !alerts.contains_key(**title)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}
