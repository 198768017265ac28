//! The layers, enforced: `domain ← ports ← adapters ← app ← main`.
//!
//! The sources are read as tokens, so that comments and strings say nothing, and every path in them is resolved to
//! the module that it names. `rules` says what may name what; `samples` shows that each rule can be broken.

mod lexer;
mod mentions;
mod rules;
mod samples;

use std::{fs, path::Path};

use rules::{SourceFile, violations};

/// Every Rust file below a folder, with its path from there.
fn sources(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8");
            found.push(SourceFile { path: name.to_owned(), text: fs::read_to_string(&path).expect("readable") });
        }
    }
}

/// The names under which `Cargo.toml` lets the sources name other crates.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && let Some((name, _)) = line.split_once(" = ").filter(|(name, _)| !name.starts_with('#'))
        {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

#[test]
fn the_sources_keep_to_the_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &root.join("src"), &mut files);
    assert!(files.len() > 60, "only {} files were found", files.len());
    let dependencies = dependencies(&fs::read_to_string(root.join("Cargo.toml")).expect("the manifest is there"));
    assert!(dependencies.iter().any(|name| name == "poem_openapi"), "{dependencies:?}");

    let violations = violations(&files, &dependencies);
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn every_dependency_has_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("the file is there");
    let reasons = read("docs/adr/0002-dependencies.md").replace('-', "_");
    for name in dependencies(&read("Cargo.toml")) {
        assert!(reasons.contains(&format!("`{name}`")), "docs/adr/0002-dependencies.md says nothing about {name}");
    }
}
