//! Every name that a query may use: the catalogue's, those that the rules record, and Prometheus' own.

use std::collections::{BTreeMap, BTreeSet};

use osapi::{
    adapters::metrics::catalogue::{Family, Kind, TARGET_INFO, families},
    domain::{ExecutionStatus, JobStatus, OperationKind},
};

use super::promql::{Matcher, Query, Selector};

/// What Prometheus adds to each series that it scrapes.
const OF_TARGET: [&str; 2] = ["job", "instance"];
/// What Prometheus records by itself.
const PROMETHEUS_OWN: [&str; 4] = ["up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"];
/// Labels whose values are all known.
const CLOSED: [&str; 8] = ["status", "operation", "reason", "outcome", "queue_operation", "cause", "code", "component"];

/// The names, and what was said wrong with them.
pub(super) struct Vocabulary {
    recorded: BTreeMap<String, BTreeSet<String>>,
}

/// The family that this series belongs to.
pub(super) fn family_of(series: &str) -> Option<&'static Family> {
    families().find(|family| match family.kind {
        Kind::Histogram => {
            series.strip_prefix(family.name).is_some_and(|suffix| matches!(suffix, "_bucket" | "_sum" | "_count"))
        }
        _ => series == family.name,
    })
}

impl Vocabulary {
    /// With the series that rules record, by name, and their queries.
    pub(super) fn new<'a>(recorded: impl IntoIterator<Item = (&'a str, &'a Query)>) -> Self {
        let labels = |query: &Query| query.labels().map(str::to_owned).collect();
        Self { recorded: recorded.into_iter().map(|(name, query)| (name.to_owned(), labels(query))).collect() }
    }

    /// The labels of a series; an error for one that does not exist.
    fn labels(&self, series: &str) -> Result<BTreeSet<String>, String> {
        if let Some(labels) = self.recorded.get(series) {
            return Ok(labels.clone());
        }
        let mut labels: BTreeSet<String> = OF_TARGET.map(str::to_owned).into();
        if let Some(family) = family_of(series) {
            labels.extend(family.labels.iter().map(|label| label.name.to_owned()));
            if series.ends_with("_bucket") {
                labels.insert("le".to_owned());
            }
            if family.name == TARGET_INFO.name {
                labels.extend(["service_name".to_owned(), "service_version".to_owned()]);
            }
        } else if series == "ALERTS" {
            labels.extend(["alertname", "alertstate", "severity"].map(str::to_owned));
        } else if !PROMETHEUS_OWN.contains(&series) {
            return Err(format!("there is no {series}"));
        }
        Ok(labels)
    }

    /// Everything that is wrong with the names in a query.
    pub(super) fn problems(&self, query: &Query) -> Vec<String> {
        let mut problems: Vec<String> =
            query.selectors.iter().flat_map(|selector| self.problems_of(selector)).collect();
        let there = self.result_labels(query, |_| true);
        let unknown = query.grouped.iter().filter(|label| !there.contains(*label));
        problems.extend(unknown.map(|label| format!("nothing here has a label {label}")));
        problems
    }

    /// Labels that can be on the result of a query.
    pub(super) fn offered(&self, query: &Query) -> BTreeSet<String> {
        let mut labels = self.result_labels(query, |selector| selector.inside.is_none());
        labels.extend(query.labels().map(str::to_owned));
        labels
    }

    fn result_labels(&self, query: &Query, which: impl Fn(&Selector) -> bool) -> BTreeSet<String> {
        let mut labels = query.made.clone();
        for selector in query.selectors.iter().filter(|selector| which(selector)) {
            match &selector.metric {
                Some(metric) => labels.extend(self.labels(metric).unwrap_or_default()),
                None => labels.extend(["job", "instance", "__name__"].map(str::to_owned)),
            }
        }
        labels
    }

    fn problems_of(&self, selector: &Selector) -> Vec<String> {
        let Some(series) = &selector.metric else {
            let known = ["job", "instance", "otel_metric_overflow"];
            let unknown = selector.matchers.iter().filter(|matcher| !known.contains(&matcher.label.as_str()));
            return unknown.map(|matcher| format!("{} without a metric", matcher.label)).collect();
        };
        let labels = match self.labels(series) {
            Ok(labels) => labels,
            Err(problem) => return vec![problem],
        };
        let unknown = selector.matchers.iter().filter(|matcher| !labels.contains(&matcher.label));
        let mut problems: Vec<String> =
            unknown.map(|matcher| format!("{series} has no label {}", matcher.label)).collect();
        let ours = series.starts_with("osapi_") || self.recorded.contains_key(series);
        if !ours && !selector.matchers.iter().any(|matcher| matcher.label == "job") {
            problems.push(format!("{series} of which job? other services have it too"));
        }
        if let Some(family) = family_of(series) {
            problems.extend(selector.matchers.iter().filter_map(|matcher| unknown_value(family, matcher)));
            problems.extend(added_up(family, selector));
        }
        problems
    }
}

/// A value that the label of a family never has.
fn unknown_value(family: &Family, matcher: &Matcher) -> Option<String> {
    let label = family.labels.iter().find(|label| label.name == matcher.label)?;
    let words = JobStatus::ALL.map(JobStatus::as_str).into_iter();
    let words = words.chain(ExecutionStatus::ALL.map(ExecutionStatus::as_str));
    let words: Vec<&str> = words.chain(OperationKind::ALL.map(OperationKind::name)).collect();
    let known = |value: &str| words.contains(&value) || label.values.contains(&format!("`{value}`"));
    let unknown = matcher.value.split('|').find(|value| CLOSED.contains(&label.name) && !known(value))?;
    Some(format!("{} of {} is never {unknown}", label.name, family.name))
}

/// What every API process reports must not be added up over processes.
fn added_up(family: &Family, selector: &Selector) -> Option<String> {
    let right = selector.inside.as_ref().is_some_and(|inside| {
        matches!(inside.name.as_str(), "max" | "min") || inside.by.iter().any(|label| label == "instance")
    });
    (family.same_everywhere && !right).then(|| format!("{}: every API process reports it, use max()", family.name))
}

#[test]
fn names_that_do_not_exist_and_sums_of_what_all_report_are_problems() {
    let recorded = Query::read("sum by (job) (osapi_jobs_created_total)").unwrap();
    let vocabulary = Vocabulary::new([("job:a:sum", &recorded)]);
    for (text, problem) in [
        ("osapi_jobs_total", "there is no osapi_jobs_total"),
        ("osapi_job_duration_seconds", "there is no osapi_job_duration_seconds"),
        ("osapi_jobs_created_total_bucket", "there is no osapi_jobs_created_total_bucket"),
        ("job:b:sum", "there is no job:b:sum"),
        ("osapi_jobs_created_total{worker=\"a\"}", "osapi_jobs_created_total has no label worker"),
        ("osapi_job_duration_seconds_count{le=\"1\"}", "osapi_job_duration_seconds_count has no label le"),
        ("job:a:sum{instance=\"a\"}", "job:a:sum has no label instance"),
        ("sum by (worker) (osapi_jobs_created_total)", "nothing here has a label worker"),
        ("sum(up)", "up of which job? other services have it too"),
        ("osapi_jobs_completed_total{status=~\"failed|gone\"}", "status of osapi_jobs_completed_total is never gone"),
        ("osapi_jobs_rejected_total{reason=\"full\"}", "reason of osapi_jobs_rejected_total is never full"),
        ("sum(osapi_queue_depth)", "osapi_queue_depth: every API process reports it, use max()"),
        ("osapi_queue_depth", "osapi_queue_depth: every API process reports it, use max()"),
    ] {
        assert_eq!(vocabulary.problems(&Query::read(text).unwrap()), [problem], "{text}");
    }
    for text in [
        "job:a:sum{job=\"a\"} / on (job) sum by (job) (up{job=\"a\"})",
        "sum by (job) (max by (job, worker) (osapi_worker_slots))",
        "sum by (instance) (osapi_ledger_jobs{status=~\"queued|running\"})",
        "histogram_quantile(0.9, sum by (le) (rate(http_server_request_duration_seconds_bucket{job=\"a\"}[5m])))",
    ] {
        assert_eq!(vocabulary.problems(&Query::read(text).unwrap()), Vec::<String>::new(), "{text}");
    }
}
