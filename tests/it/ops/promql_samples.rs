//! The reader of PromQL on samples.

use super::promql::{Aggregation, Matcher, Query};

fn names(query: &Query) -> Vec<&str> {
    query.selectors.iter().map(|selector| selector.metric.as_deref().unwrap_or("-")).collect()
}

#[test]
fn metrics_are_told_from_functions_keywords_labels_and_durations() {
    let query = Query::read(
        "# sum of nothing\nhistogram_quantile(0.9, sum by (le, job) (rate(a_bucket{b=\"c(\", d!~'e'}[5m]))) > bool 1e3\n\
         and on (f) x:y:z offset 1h30m unless ignoring (g) h * on (job) group_left (i) {j=\"k\"} or vector(0)",
    )
    .unwrap();
    assert_eq!(names(&query), ["a_bucket", "x:y:z", "h", "-"]);
    assert_eq!(query.grouped.iter().collect::<Vec<_>>(), ["f", "g", "i", "job", "le"]);
    let matcher = |label: &str, operator: &str, value: &str| Matcher {
        label: label.to_owned(),
        operator: operator.to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(query.selectors[0].matchers, [matcher("b", "=", "c("), matcher("d", "!~", "e")]);
    assert_eq!(query.selectors[3].matchers, [matcher("j", "=", "k")]);
}

#[test]
fn a_selector_knows_its_innermost_aggregation() {
    let query = Query::read("sum by (job) (max by (job, worker) (rate(a[5m])) + min(b) + c) + d").unwrap();
    let aggregation = |name: &str, by: &[&str]| {
        let by = by.iter().map(|label| (*label).to_owned()).collect();
        Some(Aggregation { name: name.to_owned(), by })
    };
    let inside: Vec<_> = query.selectors.iter().map(|selector| selector.inside.clone()).collect();
    let expected =
        [aggregation("max", &["job", "worker"]), aggregation("min", &[]), aggregation("sum", &["job"]), None];
    assert_eq!(inside, expected);
}

#[test]
fn labels_that_are_made_are_known() {
    let query = Query::read(r#"count by (family) (label_replace(a, "family", "$1", "__name__", "(.+)"))"#).unwrap();
    assert_eq!(query.made.iter().collect::<Vec<_>>(), ["family"]);
    assert_eq!(query.labels().collect::<Vec<_>>(), ["family", "family"]);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    for text in [
        "sum(a",
        "a)",
        "a{b}",
        "a{b=\"c\"",
        "rate(a[5m",
        "a / $b",
        "sum(a) by (b)",
        "sum a",
        "sum without (b) (a)",
        "a{b=\"c",
    ] {
        assert!(Query::read(text).is_err(), "{text}");
    }
}
