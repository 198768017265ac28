//! What may name what, and what files may be called.

use std::collections::HashSet;

use super::{
    lexer::{Token, tokens},
    mentions::{Mention, Named, mentions, test_modules},
};

/// From the inside out; a layer names itself and those before it.
const LAYERS: [&str; 4] = ["domain", "ports", "adapters", "app"];
const DOMAIN_CRATES: [&str; 6] = ["jiff", "schemars", "serde", "serde_json", "thiserror", "uuid"];
const PORT_CRATES: [&str; 2] = ["async_trait", "mockall"];
const SERVICE_CRATES: [&str; 4] = ["async_trait", "futures_util", "tokio", "tracing"];
/// Choosing by arguments or configuration is not an adapter's business.
const CRATES_OF_APP_ALONE: [&str; 2] = ["clap", "config"];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["common", "helper", "helpers", "misc", "shared", "tools", "util", "utils"];
/// The one `mod.rs` with code: the table of operations declares their modules, which only their parent can.
pub(super) const TABLES: [&str; 1] = ["domain/operation/mod.rs"];

/// A file below `src`.
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) text: String,
}

/// Everything that breaks a rule, as `path:line: what`.
pub(super) fn violations(files: &[SourceFile], dependencies: &[String]) -> Vec<String> {
    let tests = test_files(files);
    let mut found = Vec::new();
    for file in files {
        let module = module_of(&file.path);
        found.extend(misplaced(&file.path, files).map(|problem| format!("{}: {problem}", file.path)));
        if file.path.ends_with("mod.rs") && !TABLES.contains(&file.path.as_str()) && has_code(&file.text) {
            found.push(format!("{}: mod.rs holds docs, modules and re-exports only", file.path));
        }
        if let Some(line) = included(&file.text) {
            found
                .push(format!("{}:{line}: modules are files with their own names, not #[path] or include!", file.path));
        }
        let in_test = tests.contains(&file.path);
        for mention in mentions(&file.text, &module, dependencies, in_test) {
            if let Some(problem) = forbidden(&module, &mention) {
                found.push(format!("{}:{}: {problem}", file.path, mention.line));
            }
        }
    }
    found
}

/// `app/config/load.rs` is `app::config::load`; `mod.rs` is its folder; `lib.rs` and `main.rs` are the root.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// Files that are modules for tests only, and those below them.
fn test_files(files: &[SourceFile]) -> HashSet<String> {
    let modules: Vec<Vec<String>> = files
        .iter()
        .flat_map(|file| {
            let parent = module_of(&file.path);
            test_modules(&file.text).into_iter().map(move |name| parent.iter().cloned().chain([name]).collect())
        })
        .collect();
    let is_test = |file: &&SourceFile| modules.iter().any(|module| module_of(&file.path).starts_with(module));
    files.iter().filter(is_test).map(|file| file.path.clone()).collect()
}

fn misplaced(path: &str, files: &[SourceFile]) -> impl Iterator<Item = String> {
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let root = parts.len() == 1 && !matches!(parts[0], "lib" | "main");
    let stray = root || parts.len() > 1 && !LAYERS.contains(&parts[0]);
    let empty = parts.iter().find(|part| EMPTY_NAMES.contains(part));
    let folder = format!("{}/", path.trim_end_matches(".rs"));
    let doubled = files.iter().any(|file| file.path.starts_with(&folder));
    [
        stray.then(|| format!("belongs to one of {}", LAYERS.join(", "))),
        empty.map(|name| format!("`{name}` says nothing about what is inside")),
        doubled.then(|| "a module with a folder is the folder's mod.rs".to_owned()),
    ]
    .into_iter()
    .flatten()
}

fn forbidden(from: &[String], mention: &Mention) -> Option<String> {
    // The root declares the layers and runs the outermost one.
    let layer = from.first()?.as_str();
    let service = layer == "app" && from.get(1).is_some_and(|part| part == "services");
    match &mention.named {
        Named::Own(path) => forbidden_module(from, layer, service, path),
        Named::Foreign(_) if mention.in_test => None,
        Named::Foreign(path) => forbidden_crate(layer, service, path),
    }
}

fn forbidden_module(from: &[String], layer: &str, service: bool, path: &[String]) -> Option<String> {
    let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let named = path.join("::");
    let Some(to) = path.first().and_then(|first| rank(first)) else {
        return Some(format!("`{named}` is no layer; name things by the layer that they are in"));
    };
    if Some(to) > rank(layer) {
        return Some(format!("{layer} must not name {named}"));
    }
    if layer == "adapters" && path[0] == "adapters" && path.get(1) != from.get(1) {
        return Some(format!("an adapter must not name its sibling {named}"));
    }
    let inside = matches!(path[0].as_str(), "domain" | "ports") || path.starts_with(&from[..from.len().min(2)]);
    (service && !inside).then(|| format!("services see the domain and the ports only, not {named}"))
}

fn forbidden_crate(layer: &str, service: bool, path: &[String]) -> Option<String> {
    let name = path[0].as_str();
    let in_domain = DOMAIN_CRATES.contains(&name);
    let allowed = match layer {
        "domain" => in_domain,
        // A port may hand out a channel; it does not spawn, sleep or listen.
        "ports" => {
            in_domain || PORT_CRATES.contains(&name) || path.starts_with(&["tokio".to_owned(), "sync".to_owned()])
        }
        "adapters" => !CRATES_OF_APP_ALONE.contains(&name),
        _ if service => in_domain || SERVICE_CRATES.contains(&name),
        _ => true,
    };
    let place = if service { "services" } else { layer };
    (!allowed).then(|| format!("{place} must not use {}", path.join("::")))
}

/// Whether there is an item that is neither a module, a re-export nor a module of tests.
pub(super) fn has_code(text: &str) -> bool {
    let tokens = tokens(text);
    let mut depth = 0_usize;
    let mut item: Vec<&str> = Vec::new();
    let mut for_tests = false;
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Other('{' | '[' | '(') => depth += 1,
            Token::Other('}' | ']' | ')') => {
                depth = depth.saturating_sub(1);
                // The end of an inline module; that of a group of imports is followed by a semicolon.
                if depth == 0 && *token == Token::Other('}') && item.contains(&"mod") {
                    if !for_tests {
                        return true;
                    }
                    (item, for_tests) = (Vec::new(), false);
                }
            }
            Token::Other(';') if depth == 0 => (item, for_tests) = (Vec::new(), false),
            Token::Word(word) if depth == 0 => {
                if item.iter().all(|word| *word == "pub") && !matches!(word.as_str(), "pub" | "mod" | "use") {
                    return true;
                }
                item.push(word);
            }
            Token::Word(word) if word == "test" && item.is_empty() && at > 1 => {
                for_tests |= tokens[at - 2].0 == Token::Word("cfg".to_owned());
            }
            _ => {}
        }
    }
    false
}

/// The line of the first `#[path = …]`, also in a `cfg_attr`, or `include!`.
fn included(text: &str) -> Option<usize> {
    let tokens = tokens(text);
    let starts = |at: usize, word: &str, after: char| {
        tokens[at].0 == Token::Word(word.to_owned())
            && tokens.get(at + 1).is_some_and(|next| next.0 == Token::Other(after))
    };
    // Other attributes have arguments of that name too.
    let for_module =
        |at: usize| at > 0 && (tokens[at - 1].0 == Token::Other('[') || is_conditional(&tokens, tokens[at].1));
    let found = (0..tokens.len()).find(|&at| starts(at, "include", '!') || starts(at, "path", '=') && for_module(at));
    found.map(|at| tokens[at].1)
}

fn is_conditional(tokens: &[(Token, usize)], line: usize) -> bool {
    tokens.iter().any(|(token, at)| *at == line && *token == Token::Word("cfg_attr".to_owned()))
}
