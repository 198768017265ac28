//! The dashboard.

use std::collections::BTreeSet;

use osapi::adapters::metrics::catalogue::families;
use serde_json::Value;

use super::{
    annotations,
    promql::Query,
    rules::{text, vocabulary},
    vocabulary::family_of,
};

/// The width of the grid on which panels lie.
const COLUMNS: u64 = 24;
/// Variables that a query may have. Those of labels stand in quotes, those of time in brackets.
const VARIABLES: [&str; 4] = ["job", "instance", "__rate_interval", "__range"];

/// A query of a panel, an annotation or a variable.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Where it is.
    pub(super) title: String,
    pub(super) expr: String,
    legend: String,
}

/// The dashboard, as the file says.
pub(super) struct Dashboard(Value);

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

impl Dashboard {
    pub(super) fn load() -> Self {
        Self(serde_json::from_str(&text("ops/grafana/osapi.json")).unwrap())
    }

    fn everything(&self) -> &[Value] {
        array(&self.0, "panels")
    }

    /// Panels that show something.
    fn panels(&self) -> impl Iterator<Item = &Value> {
        self.everything().iter().filter(|panel| panel["type"] != "row")
    }

    /// The queries of all panels.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let of_panel = |panel: &Value| {
            let shown = |target: &Value| Shown {
                title: word(panel, "title").to_owned(),
                expr: word(target, "expr").to_owned(),
                legend: word(target, "legendFormat").to_owned(),
            };
            array(panel, "targets").iter().map(shown).collect::<Vec<_>>()
        };
        self.panels().flat_map(of_panel).collect()
    }

    /// The queries of annotations, which mark moments in all panels.
    pub(super) fn marks(&self) -> Vec<Shown> {
        let annotations = array(&self.0["annotations"], "list").iter().filter(|one| one["expr"].is_string());
        let shown = |one: &Value| Shown {
            title: word(one, "name").to_owned(),
            expr: word(one, "expr").to_owned(),
            legend: word(one, "titleFormat").to_owned(),
        };
        annotations.map(shown).collect()
    }

    /// What is queried by panels and annotations.
    pub(super) fn queries(&self) -> Vec<Query> {
        self.shown().iter().chain(&self.marks()).map(Shown::query).collect()
    }
}

impl Shown {
    fn query(&self) -> Query {
        Query::read(&self.expr).unwrap_or_else(|error| panic!("{}: {error}", self.title))
    }
}

#[test]
fn it_is_a_dashboard_that_any_grafana_can_import() {
    let dashboard = Dashboard::load();
    let Dashboard(root) = &dashboard;
    assert_eq!((word(root, "uid"), word(root, "title")), ("osapi", "osapi"));
    assert!(root["id"].is_null(), "the id is given by the Grafana that imports it");
    assert!(root["schemaVersion"].as_u64().unwrap() >= 39);
    let ids: BTreeSet<u64> = dashboard.everything().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), dashboard.everything().len(), "two panels have one id");
    let titles: BTreeSet<(&str, &str)> =
        dashboard.everything().iter().map(|panel| (word(panel, "title"), word(panel, "type"))).collect();
    assert_eq!(titles.len(), dashboard.everything().len(), "two panels have one title");
    let rows = dashboard.everything().iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<&str> = rows.map(|row| word(row, "title")).collect();
    let expected =
        ["At a glance", "Requests", "Jobs", "Queue", "Workers", "Process and runtime", "The endpoint itself"];
    assert_eq!(rows, expected);
}

#[test]
fn every_panel_has_a_unit_a_description_and_a_place_of_its_own() {
    let dashboard = Dashboard::load();
    let mut taken = BTreeSet::new();
    for panel in dashboard.everything() {
        let title = word(panel, "title");
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{title}: no {name}"));
        assert!(place("x") + place("w") <= COLUMNS, "{title} is too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} lies on another panel");
            }
        }
    }
    for panel in dashboard.panels() {
        let title = word(panel, "title");
        assert!(word(panel, "description").ends_with('.'), "{title}: a description is a sentence");
        assert!(!word(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{title}: no unit");
        let names: BTreeSet<&str> = array(panel, "targets").iter().map(|target| word(target, "refId")).collect();
        assert_eq!(names.len(), array(panel, "targets").len(), "{title}: two queries have one name");
        for part in [panel].into_iter().chain(array(panel, "targets")) {
            assert_eq!(word(&part["datasource"], "uid"), "${datasource}", "{title}");
        }
    }
}

#[test]
fn panels_name_what_exists_in_the_chosen_fleet() {
    let dashboard = Dashboard::load();
    let vocabulary = vocabulary();
    for shown in dashboard.shown().iter().chain(&dashboard.marks()) {
        let (title, query) = (&shown.title, shown.query());
        assert_eq!(vocabulary.problems(&query), Vec::<String>::new(), "{title}");
        for selector in &query.selectors {
            let matcher = |label: &str| selector.matchers.iter().find(|matcher| matcher.label == label);
            // `vector(0)` selects nothing.
            assert!(
                matcher("job").is_some_and(|job| (job.operator.as_str(), job.value.as_str()) == ("=", "$job")),
                "{title}"
            );
            if let Some(instance) = matcher("instance") {
                assert_eq!((instance.operator.as_str(), instance.value.as_str()), ("=~", "$instance"), "{title}");
                // Whoever looks at one worker wants to see the queue too.
                let family = selector.metric.as_deref().and_then(family_of);
                assert!(!family.is_some_and(|family| family.same_everywhere), "{title}: it is that of the whole fleet");
            }
        }
        for label in annotations::labels(&shown.legend) {
            assert!(vocabulary.offered(&query).contains(&label), "{title}: the result has no label {label}");
        }
        for variable in shown.expr.split('$').skip(1) {
            let end = variable.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(variable.len());
            assert!(VARIABLES.contains(&&variable[..end]), "{title}: ${}", &variable[..end]);
        }
        if shown.expr.contains("histogram_quantile") {
            assert!(
                query
                    .selectors
                    .iter()
                    .all(|one| one.inside.as_ref().is_some_and(|sum| sum.by.contains(&"le".to_owned()))),
                "{title}"
            );
        }
    }
}

#[test]
fn fleet_process_and_data_source_are_chosen_from_what_is_there() {
    let Dashboard(root) = Dashboard::load();
    let variables = array(&root["templating"], "list");
    let chosen: Vec<(&str, &Value)> =
        variables.iter().map(|variable| (word(variable, "name"), &variable["definition"])).collect();
    let expected = [
        ("datasource", &Value::Null),
        ("job", &"label_values(osapi_build_info, job)".into()),
        ("instance", &"label_values(osapi_build_info{job=\"$job\"}, instance)".into()),
    ];
    assert_eq!(chosen, expected);
}

#[test]
fn every_family_is_on_the_dashboard() {
    let queries = Dashboard::load().queries();
    let shown: BTreeSet<&str> = queries
        .iter()
        .flat_map(|query| &query.selectors)
        .filter_map(|selector| family_of(selector.metric.as_deref()?))
        .map(|family| family.name)
        .collect();
    let missing: Vec<&str> = families().map(|family| family.name).filter(|name| !shown.contains(name)).collect();
    // Shown by the series that a rule records from it.
    assert_eq!(missing, ["osapi_worker_last_heartbeat_timestamp_seconds"]);
}
