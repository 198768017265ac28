//! Samples of what the rules are for: each must be caught, and its lawful twin must not.

use super::rules::{SourceFile, TABLES, has_code, violations};

fn check(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> =
        files.iter().map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
    let dependencies =
        ["poem", "serde", "tokio", "clap", "config", "mockall", "tracing", "futures_util", "rusqlite", "proptest"];
    violations(&files, &dependencies.map(str::to_owned))
}

#[test]
fn a_breach_of_the_layers_is_caught_however_it_is_spelled() {
    for (path, text, expected) in [
        ("domain/job.rs", "use crate::ports::driven::Clock;", "domain must not name ports::driven::Clock"),
        ("domain/job.rs", "use super::super::ports::driven::Clock;", "domain must not name ports"),
        ("domain/job.rs", "use crate::{domain::X, ports::{driven::{Clock, JobIds as Ids}}};", "ports::driven::JobIds"),
        ("domain/job.rs", "fn f() { crate::app::run() }", "domain must not name app::run"),
        ("domain/job.rs", "fn f(x: &dyn crate :: ports::Clock) {}", "domain must not name ports::Clock"),
        ("domain/job.rs", "macro_rules! m { () => { $crate::app::run() } }", "domain must not name app::run"),
        ("domain/job.rs", "mod inner { use super::super::super::app::X; }", "domain must not name app::X"),
        ("domain/job.rs", "#[cfg(test)] mod tests { use crate::adapters::clock::SystemClock; }", "adapters::clock"),
        ("domain/mod.rs", "pub use super::ports::Clock;", "domain must not name ports::Clock"),
        ("domain/job.rs", "use crate as root;", "is no layer"),
        ("domain/job.rs", "use crate::*;", "`*` is no layer"),
        ("ports/driven/clock.rs", "use crate::adapters::clock::SystemClock;", "ports must not name adapters"),
        ("adapters/clock/system.rs", "use crate::app::config::Settings;", "adapters must not name app::config"),
        ("adapters/http/server.rs", "use crate::adapters::queue::Store;", "its sibling adapters::queue::Store"),
        ("adapters/http/server.rs", "use super::super::queue::Store;", "its sibling adapters::queue::Store"),
        ("adapters/http/server.rs", "fn f() { super::super::queue::open() }", "its sibling adapters::queue::open"),
        ("adapters/http/routes/jobs.rs", "use crate::adapters::{http::X, queue};", "its sibling adapters::queue"),
        (
            "app/services/jobs.rs",
            "use crate::adapters::clock::SystemClock;",
            "services see the domain and the ports only",
        ),
        ("app/services/jobs.rs", "use crate::app::config::Settings;", "services see the domain and the ports only"),
        ("app/services/jobs.rs", "use super::super::config::Settings;", "services see the domain and the ports only"),
    ] {
        let found = check(&[(path, text)]);
        assert!(found.iter().any(|found| found.contains(expected)), "{path}: {text}\ngave {found:?}");
    }
}

#[test]
fn a_foreign_crate_in_the_wrong_layer_is_caught() {
    for (path, text, expected) in [
        ("domain/job.rs", "use tokio::sync::watch;", "domain must not use tokio::sync::watch"),
        ("domain/job.rs", "#[poem::handler] fn f() {}", "domain must not use poem::handler"),
        ("domain/job.rs", "use ::poem::web;", "domain must not use poem::web"),
        ("domain/job.rs", "extern crate poem;", "domain must not use poem"),
        ("domain/job.rs", "use {serde::Serialize, poem};", "domain must not use poem"),
        ("ports/driven/clock.rs", "use tokio::time::sleep;", "ports must not use tokio::time::sleep"),
        ("ports/driven/clock.rs", "use tracing::info;", "ports must not use tracing::info"),
        ("adapters/http/server.rs", "use clap::Parser;", "adapters must not use clap::Parser"),
        ("adapters/http/server.rs", "fn f() -> config::Config {}", "adapters must not use config::Config"),
        ("app/services/jobs.rs", "use poem::web;", "services must not use poem::web"),
        ("app/services/jobs.rs", "use rusqlite::Connection;", "services must not use rusqlite::Connection"),
    ] {
        let found = check(&[(path, text)]);
        assert!(found.iter().any(|found| found.contains(expected)), "{path}: {text}\ngave {found:?}");
    }
}

#[test]
fn a_file_in_the_wrong_place_or_of_the_wrong_kind_is_caught() {
    for (files, expected) in [
        (&[("domain/utils.rs", "")][..], "`utils` says nothing"),
        (&[("adapters/http/common/body.rs", "")], "`common` says nothing"),
        (&[("telemetry.rs", "")], "telemetry.rs: belongs to one of domain"),
        (&[("infra/store.rs", "")], "infra/store.rs: belongs to one of domain"),
        (&[("domain/job.rs", ""), ("domain/job/state.rs", "")], "domain/job.rs: a module with a folder"),
        (&[("domain/mod.rs", "pub mod job; pub struct Job;")], "domain/mod.rs: mod.rs holds docs"),
        (&[("domain/mod.rs", "pub(crate) const LIMIT: u8 = 1;")], "domain/mod.rs: mod.rs holds docs"),
        (&[("domain/mod.rs", "mod job { fn f() {} }")], "domain/mod.rs: mod.rs holds docs"),
        (&[("domain/mod.rs", "#[cfg(test)] mod tests { fn f() {} } fn g() {}")], "domain/mod.rs: mod.rs holds docs"),
        (&[("domain/job.rs", "#[path = \"../app/x.rs\"] mod x;")], "domain/job.rs:1: modules are files"),
        (&[("domain/job.rs", "#[cfg_attr(unix, path = \"x.rs\")] mod x;")], "domain/job.rs:1: modules are files"),
        (&[("domain/job.rs", "\ninclude!(\"x.rs\");")], "domain/job.rs:2: modules are files"),
    ] {
        let found = check(files);
        assert!(found.iter().any(|found| found.contains(expected)), "{files:?}\ngave {found:?}");
    }
}

#[test]
fn what_is_lawful_passes() {
    for files in [
        &[("adapters/http/api.rs", "#[oai(path = \"/health\")] fn health() {}")][..],
        &[("domain/job.rs", "// use crate::ports::Clock;\n/* crate::app */ const A: &str = \"crate::app::run\";")],
        &[(
            "domain/job.rs",
            "use super::{Execution, scope::Scope}; use serde::Serialize; fn f() { Self::g(); job::h() }",
        )],
        &[("domain/job.rs", "#[cfg(test)] mod tests { use super::*; use proptest::prelude::*; fn f() { poem::x() } }")],
        &[(
            "domain/job.rs",
            "#[cfg(test)] mod tests { fn f() { if a { b } } } pub(in crate::domain) struct X<'a>(&'a str);",
        )],
        &[
            ("domain/mod.rs", "//! Docs.\n#[cfg(test)] mod job_tests; pub mod job; pub use job::{Job, Slot};"),
            ("domain/job_tests.rs", "use poem::x;"),
        ],
        &[("domain/mod.rs", "mod a; #[cfg(test)] pub use {a::B, a::C}; #[cfg(test)] mod tests { fn f() { g(); } }")],
        &[(
            "ports/driven/clock.rs",
            "#[cfg_attr(test, mockall::automock)] pub trait Clock {} use tokio::sync::watch; use crate::domain::Job;",
        )],
        &[(
            "adapters/http/routes/jobs.rs",
            "use super::super::server::Server; use crate::{adapters::http::X, ports::driving::Jobs}; use poem::web;",
        )],
        &[("adapters/queue/store/mod.rs", "mod config; pub use config::Tuning;")],
        &[(
            "app/services/jobs.rs",
            "use super::deadline::D; use crate::app::services::X; use tokio::time; use tracing::info;",
        )],
        &[(
            "app/compose.rs",
            "use crate::{adapters::{http, queue}, app::services::JobService}; use poem::web; use config::Config;",
        )],
        &[("main.rs", "use osapi::app::cli; fn main() { cli::run() }"), ("lib.rs", "pub mod domain; pub mod app;")],
    ] {
        assert_eq!(check(files), Vec::<String>::new(), "{files:?}");
    }
}

#[test]
fn a_breach_is_reported_with_its_line() {
    let found = check(&[("domain/job.rs", "//! Docs.\n\nuse crate::{\n    domain::X,\n    app::Y,\n};\n")]);
    assert_eq!(found, ["domain/job.rs:5: domain must not name app::Y"]);
}

#[test]
fn the_exceptions_are_still_needed() {
    for path in TABLES {
        let file = format!("{}/src/{path}", env!("CARGO_MANIFEST_DIR"));
        assert!(has_code(&std::fs::read_to_string(&file).expect("the file is there")), "{path} needs no exception");
    }
}
