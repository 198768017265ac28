//! Pages that break one rule each.

use super::Page;

const GOOD: &str = r#"# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{status="a \"b\" \\ \n c"} 1
jobs_total{status="d"} 2.5
# HELP run_seconds Time.
# TYPE run_seconds histogram
run_seconds_bucket{op="x",le="0.1"} 1
run_seconds_bucket{op="x",le="1"} 3
run_seconds_bucket{op="x",le="+Inf"} 4
run_seconds_sum{op="x"} 7.5
run_seconds_count{op="x"} 4
# HELP up Whether it is up.
# TYPE up gauge
up -1
"#;

#[test]
fn a_good_page_is_read() {
    let page = Page::parse(GOOD).expect("it keeps all the rules");
    assert_eq!(page.len(), 8);
    assert_eq!(page.value("jobs_total", &[("status", "a \"b\" \\ \n c")]), Some(1.0));
    assert_eq!(page.value("jobs_total", &[]), None);
    assert_eq!(page.value("up", &[]), Some(-1.0));
    assert!((page.sum("jobs_total") - 3.5).abs() < 1e-9);
    assert!((page.quantile(0.5, "run_seconds") - 0.55).abs() < 1e-9);
    assert!(page.overflowed().is_empty());
}

/// What is replaced in the good page, by what, and what must be said about it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("{status=\"d\"} 2.5", "{status=\"a \\\"b\\\" \\\\ \\n c\"} 2.5", "the series was there before"),
    (
        "# HELP up Whether it is up.\n# TYPE up gauge\nup -1",
        "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{status=\"e\"} 1",
        "the family was there before",
    ),
    ("up -1", "jobs_total{status=\"e\"} 1", "of another family"),
    ("# TYPE up gauge\n", "", "before the type"),
    ("# HELP up Whether it is up.\n", "", "without the help"),
    ("# TYPE up gauge", "# TYPE up gauge\n# TYPE up gauge", "a second type"),
    ("# TYPE up gauge", "# TYPE up untyped", "an unknown type"),
    ("# TYPE jobs_total counter", "# TYPE jobs_total gauge", "`_total` is the ending of counters"),
    ("# TYPE up gauge", "# TYPE up counter", "`_total` is the ending of counters"),
    ("jobs_total", "jobs_total_total", "a doubled word"),
    ("run_seconds", "run_seconds_seconds", "a doubled word"),
    ("run_seconds", "run_ratio", "the unit was 1"),
    ("status=\"d\"", "otel_scope_name=\"d\"", "instrumentation scope"),
    ("status=\"d\"", "9status=\"d\"", "not a label name"),
    ("status=\"d\"", "=\"d\"", "not a label name"),
    ("status=\"d\"", "__name__=\"d\"", "not a label name"),
    ("status=\"d\"", "status=\"d\",status=\"e\"", "the same label twice"),
    ("status=\"d\"", "status=\"\\d\"", "an unknown escape"),
    ("status=\"d\"", "status=\"d", "without an end"),
    ("status=\"d\"", "status=\"d\" ,a=\"b\"", "no comma"),
    ("status=\"d\"", "le=\"1\"", "`le` belongs to buckets"),
    ("up -1", "up NaN", "a value that this type cannot have"),
    ("} 2.5", "} -2.5", "a value that this type cannot have"),
    ("up -1", "up -1 1700000000", "a time stamp"),
    ("up -1", "up one", "not a number"),
    ("up -1\n", "", "a family without samples"),
    ("up -1\n", "\nup -1\n", "neither a comment"),
    ("up -1\n", "up -1", "line feed"),
    ("le=\"1\"} 3", "le=\"0.05\"} 3", "bounds do not ascend"),
    ("le=\"1\"} 3", "le=\"1\"} 5", "counts of buckets decrease"),
    ("le=\"+Inf\"} 4", "le=\"+Inf\"} 5", "the last bucket"),
    ("run_seconds_bucket{op=\"x\",le=\"+Inf\"} 4\n", "", "the last bucket"),
    ("run_seconds_sum{op=\"x\"} 7.5\n", "", "without its sum or count"),
];

#[test]
fn every_rule_can_be_broken() {
    for (good, bad, rule) in BROKEN {
        let page = GOOD.replace(good, bad);
        assert_ne!(page, GOOD, "{good:?} is not on the page");
        let error = Page::parse(&page).expect_err(rule);
        assert!(error.contains(rule), "expected {rule:?}, got {error:?}");
    }
    assert!(Page::parse("").is_err(), "an empty page is no page");
}

#[test]
fn series_beyond_their_limit_are_seen() {
    let page = GOOD.replace("up -1", "up{otel_metric_overflow=\"true\"} 1");
    assert_eq!(Page::parse(&page).expect("readable").overflowed(), ["up"]);
}
