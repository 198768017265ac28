//! What is written about a fleet is what ships: permissions, units, links.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    installation::{API, WORKER, shipped},
    wire::allowed,
};
use crate::server::Home;

const UNITS: [&str; 3] = ["osapi.service", "osapi-api.service", "osapi-worker.service"];

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// `a.{b,c}` as `a.b` and `a.c`.
fn expand(pattern: &str) -> Vec<String> {
    match pattern.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (words, tail))) => words.split(',').map(|word| format!("{head}{word}{tail}")).collect(),
        None => vec![pattern.to_owned()],
    }
}

/// The patterns of the table that begins with this word, for the kind of process in this column.
fn listed(page: &str, verb: &str, column: usize) -> BTreeSet<String> {
    let (_, table) = page.split_once(&format!("| {verb} | API | worker |")).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let rows = rows.filter(|cells| cells[column] == "yes");
    let patterns = rows.flat_map(|cells| cells[1].split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    patterns.flat_map(|pattern| expand(&pattern)).collect()
}

#[test]
fn the_page_lists_the_permissions_of_the_file() {
    let (page, conf) = (file("docs/deploy-fleet.md"), shipped());
    for (user, column) in [(API.0, 2), (WORKER.0, 3)] {
        for verb in ["publish", "subscribe"] {
            let ships: BTreeSet<String> = allowed(&conf, user, verb).into_iter().collect();
            assert_eq!(listed(&page, verb, column), ships, "{user} {verb}");
        }
    }
}

#[test]
fn links_of_the_page_lead_somewhere() {
    let page = file("docs/deploy-fleet.md");
    let targets = page.split("](").skip(1).filter_map(|part| part.split([')', '#']).next());
    let targets: Vec<&str> = targets.filter(|target| !target.contains("://")).collect();
    assert!(targets.len() > 5, "{targets:?}");
    for target in targets {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(target).exists(), "{target}");
    }
}

#[test]
fn units_start_commands_that_exist_with_variables_that_are_keys() {
    for unit in UNITS {
        let text = file(&format!("ops/systemd/{unit}"));
        let settings: Vec<(&str, &str)> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(['#', '[']))
            .map(|line| line.split_once('=').unwrap_or_else(|| panic!("{unit}: {line}")))
            .collect();
        let of = |key: &'static str| settings.iter().filter(move |(name, _)| *name == key).map(|(_, value)| *value);
        let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(sections, ["[Unit]", "[Service]", "[Install]"], "{unit}");

        let starts: Vec<&str> = of("ExecStart").collect();
        let [start] = starts[..] else { panic!("{unit}: {starts:?}") };
        let words: Vec<&str> = start.strip_prefix("/usr/local/bin/osapi ").unwrap().split(' ').collect();
        let helped = Home::new().run(&[&words[..], &["--help"]].concat());
        assert!(helped.status.success(), "{unit}: {helped:?}");

        let variables: Vec<(&str, &str)> = of("Environment").map(|set| set.split_once('=').unwrap()).collect();
        let home = variables.iter().fold(Home::new(), |home, (name, value)| home.with(name, value));
        let checked = home.run(&["config", "check"]);
        assert!(checked.status.success(), "{unit}: {checked:?}");
    }
}
