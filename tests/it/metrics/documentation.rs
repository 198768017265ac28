//! The page of documentation, written from the catalogue.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use osapi::adapters::metrics::catalogue::{Family, GROUPS, Kind, Stability, TARGET_INFO, families};

const INTRODUCTION: &str = "\
# Metrics

Everything that `/metrics` can show, written from the catalogue in `src/adapters/metrics/catalogue`. To write it anew:
`OSAPI_BLESS=1 cargo nextest run metrics::documentation`.

How to read it:

* Counters and durations are counted by the process in which the change was made: add them up over processes.
* Families whose meaning ends with \"use max()\" describe the whole fleet, and every API process reports the same.
* Gauges and counters with closed labels are there at 0 from the start. Histograms and the families of requests appear
  at their first use. What is read from the queue or the registry is absent while that cannot be read.
* `osapi_build_info` is on every page; a page without it is never served.
* A family whose series exceed its limit puts the rest into one series with the label `otel_metric_overflow`.
* No label ever takes a client's words.
* A family is stable, its name, labels and meaning change with a major version only, unless it says `development`.
";

fn labels(family: &Family) -> String {
    if family.name == TARGET_INFO.name {
        return "those of the resource, from `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`".to_owned();
    }
    let labels = family.labels.iter().map(|label| format!("`{}`", label.name));
    labels.collect::<Vec<_>>().join(", ")
}

/// Labels with their values, and the families that have them where the name alone does not say enough.
fn label_rows() -> String {
    let mut rows: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for family in families() {
        for label in family.labels {
            rows.entry((label.name, label.values)).or_default().push(family.name);
        }
    }
    let alone = |name: &str| rows.keys().filter(|(other, _)| *other == name).count() == 1;
    let row = |((name, values), families): (&(&str, &str), &Vec<&str>)| {
        let of = if alone(name) { String::new() } else { format!(" of `{}`", families.join("`, `")) };
        format!("| `{name}`{of} | {values} |\n")
    };
    rows.iter().map(row).collect()
}

fn row(family: &Family) -> String {
    let unit = if family.unit.starts_with('{') { family.unit.trim_matches(['{', '}']) } else { family.unit };
    let mut notes = family.help.to_owned();
    if family.kind == Kind::Histogram {
        let bounds: Vec<String> = family.buckets.iter().map(ToString::to_string).collect();
        write!(notes, " Buckets: {}.", bounds.join(", ")).expect("a string takes everything");
    }
    if family.stability != Stability::Stable {
        write!(notes, " `{}`", family.stability.as_str()).expect("a string takes everything");
    }
    format!("| `{}` | {} | {unit} | {} | {notes} |\n", family.name, family.kind.exported(), labels(family))
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in GROUPS {
        write!(page, "\n## {}\n\n| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n", group.title)
            .expect("a string takes everything");
        page.extend(group.families.iter().map(row));
    }
    page.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    page.push_str(&label_rows());
    page
}

#[test]
fn the_documentation_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("OSAPI_BLESS").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, page(), "write it anew: OSAPI_BLESS=1 cargo nextest run metrics::documentation");
}
