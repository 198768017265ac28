//! What ships in `ops/`, held against the catalogue: rules, dashboard and documentation name nothing that does not
//! exist. And a Prometheus, the real one, that scrapes the program with them.

mod annotations;
mod dashboard;
mod live_prometheus;
mod overflow;
mod pages;
mod prometheus;
mod promql;
mod promql_samples;
mod promtool;
mod rules;
mod shell_lines;
mod vocabulary;
