//! Pages of documentation, as far as they name series and hold queries.

use std::collections::BTreeMap;

use super::{
    promql::Query,
    rules::{file, text, vocabulary},
    vocabulary::family_of,
};

/// Pages that name series. The page of the catalogue is written from it.
pub(super) const PAGES: [&str; 2] = ["docs/runbook.md", "docs/observability.md"];
/// What begins the name of a series.
const PREFIXES: [&str; 5] = ["osapi_", "http_server_", "process_", "tokio_", "target_"];

/// A page in Markdown.
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn load(path: &str) -> Self {
        Self { text: text(path) }
    }

    /// Sections of the second level, by title.
    pub(super) fn sections(&self) -> BTreeMap<&str, &str> {
        let sections = self.text.split("\n## ").skip(1);
        sections.map(|section| section.split_once('\n').unwrap_or((section, ""))).collect()
    }

    /// The blocks of code in this language.
    pub(super) fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        let opening = format!("```{language}\n");
        let parts: Vec<&str> = self.text.split(&opening).skip(1).collect();
        parts.into_iter().map(|part| part.split("```").next().unwrap_or_default())
    }

    /// The queries on it.
    pub(super) fn queries(&self) -> impl Iterator<Item = &str> {
        self.blocks("promql").map(str::trim)
    }

    /// Words that look like the names of series.
    fn names(&self) -> impl Iterator<Item = &str> {
        let words = self.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
    }

    /// The targets of its links and images that are files of the project.
    pub(super) fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.text.split("](").skip(1).map(|part| part.split([')', '#']).next().unwrap_or_default());
        targets.filter(|target| !target.is_empty() && !target.contains("://"))
    }
}

#[test]
fn pages_name_what_exists() {
    for path in PAGES {
        let page = Page::load(path);
        // A whole family may be meant.
        let unknown: Vec<_> = page
            .names()
            .filter(|name| family_of(name).is_none() && family_of(&format!("{name}_count")).is_none())
            .collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
        for link in page.links() {
            assert!(file("docs").join(link).exists(), "{path}: {link}");
        }
    }
}

#[test]
fn queries_on_pages_name_what_exists() {
    let vocabulary = vocabulary();
    for path in PAGES {
        let page = Page::load(path);
        assert!(page.queries().count() > 2, "{path} shows no queries");
        for text in page.queries() {
            let query = Query::read(text).unwrap();
            assert_eq!(vocabulary.problems(&query), Vec::<String>::new(), "{path}: {text}");
        }
    }
}

#[test]
fn plots_on_pages_are_what_the_script_draws() {
    let page = Page::load("docs/observability.md");
    let plots: Vec<&str> = page.links().filter(|link| link.starts_with("plots/")).collect();
    assert!(plots.len() > 2, "{plots:?}");
    for path in plots {
        let plot = text(&format!("docs/{path}"));
        for part in ["<svg ", "<title>", "<path class=\"series\"", ">OsapiDown<"] {
            assert!(plot.contains(part), "{path} has no {part}");
        }
        assert!(plot.ends_with("</svg>\n"), "{path}");
    }
}
