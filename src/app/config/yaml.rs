//! YAML read as a tree of text with line numbers.
//!
//! Scalars keep their spelling: what `007`, `1.10` or `yes` mean is decided by the key that they are written for. Of
//! YAML, only what a configuration needs is understood: no anchors, tags or further documents, and no key twice.

use std::path::Path;

use yaml_rust2::{
    Event,
    parser::Parser,
    scanner::{Marker, ScanError, TScalarStyle},
};

use super::{ConfigError, Origin};

/// Sections nest four deep; what is deeper is a mistake, and recursion must end somewhere.
const MAX_NESTING: usize = 16;

/// A value and the line, counted from 1, that it starts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeKind {
    /// Nothing, `~` or `null`: not set.
    Unset,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

/// The entries of the mapping that `text` consists of; an empty text has none.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Entry>, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Reader { path, parser: Parser::new_from_str(text) }.document()
}

struct Reader<'a> {
    path: &'a Path,
    parser: Parser<std::str::Chars<'a>>,
}

impl Reader<'_> {
    fn error(&self, line: usize, problem: impl Into<String>) -> ConfigError {
        ConfigError::Syntax { origin: Origin::file(self.path, line), problem: problem.into() }
    }

    fn next(&mut self) -> Result<(Event, usize), ConfigError> {
        let at = |marker: &Marker| marker.line().max(1);
        match self.parser.next_token() {
            Ok((event, marker)) => Ok((event, at(&marker))),
            Err(error) => Err(self.error(at(error.marker()), ScanError::info(&error))),
        }
    }

    fn document(mut self) -> Result<Vec<Entry>, ConfigError> {
        let mut entries = None;
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(entries.unwrap_or_default()),
                Event::DocumentStart if entries.is_some() => {
                    return Err(self.error(line, "expected one YAML document"));
                }
                Event::DocumentStart => {
                    let (event, line) = self.next()?;
                    let node = self.node(event, line, 0)?;
                    entries = Some(match node.kind {
                        NodeKind::Map(entries) => entries,
                        NodeKind::Unset => Vec::new(),
                        NodeKind::Text(_) | NodeKind::List(_) => {
                            return Err(self.error(line, "expected keys with values at the top level"));
                        }
                    });
                }
                _ => return Err(self.error(line, "expected a YAML document")),
            }
        }
    }

    fn node(&mut self, event: Event, line: usize, depth: usize) -> Result<Node, ConfigError> {
        if depth > MAX_NESTING {
            return Err(self.error(line, format!("nested deeper than {MAX_NESTING} levels")));
        }
        let kind = match event {
            Event::Alias(_) => return Err(self.error(line, "anchors and aliases are not supported")),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if anchor > 0 =>
            {
                return Err(self.error(line, "anchors and aliases are not supported"));
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return Err(self.error(line, "tags are not supported"));
            }
            Event::Scalar(text, TScalarStyle::Plain, ..) if is_null(&text) => NodeKind::Unset,
            Event::Scalar(text, ..) => NodeKind::Text(text),
            Event::SequenceStart(..) => NodeKind::List(self.items(depth)?),
            Event::MappingStart(..) => NodeKind::Map(self.entries(depth)?),
            _ => return Err(self.error(line, "expected a value")),
        };
        Ok(Node { line, kind })
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, ConfigError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, line) => items.push(self.node(event, line, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, ConfigError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, line) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(key, ..) => key,
                _ => return Err(self.error(line, "expected a plain key")),
            };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let problem = format!("key `{}` appears twice, first in line {}", key.escape_debug(), first.line);
                return Err(self.error(line, problem));
            }
            let (event, value_line) = self.next()?;
            let value = self.node(event, value_line, depth + 1)?;
            entries.push(Entry { key, line, value });
        }
    }
}

/// The words of the YAML 1.2 core schema (§10.3.2) for null.
fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Entry>, String> {
        read(Path::new("f.yaml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn scalars_keep_their_spelling_and_their_lines() {
        let entries = read_text("a: 007\nb:\n  c: 1.10\n  d: yes\n  e: \"\"\n  f:\n").expect("valid");
        let text = |text: &str| NodeKind::Text(text.to_owned());
        assert_eq!((entries[0].line, &entries[0].value.kind), (1, &text("007")));
        let NodeKind::Map(inner) = &entries[1].value.kind else { panic!("a map: {entries:?}") };
        let kinds: Vec<_> = inner.iter().map(|entry| (entry.line, entry.value.kind.clone())).collect();
        assert_eq!(kinds, [(3, text("1.10")), (4, text("yes")), (5, text("")), (6, NodeKind::Unset)]);
    }

    #[test]
    fn a_text_without_anything_to_say_has_no_entries() {
        for text in ["", "\n\n", "# only a comment\n", "---\n", "~", "\u{feff}", "{}"] {
            assert_eq!(read_text(text), Ok(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_plain_mapping_is_refused_with_its_line() {
        for (text, expected) in [
            ("- a\n- b\n", "f.yaml, line 1: expected keys with values at the top level"),
            ("just text", "expected keys with values at the top level"),
            ("a: 1\nb: 2\na: 3\n", "f.yaml, line 3: key `a` appears twice, first in line 1"),
            ("a:\n  b: 1\n  b: 1\n", "line 3: key `b` appears twice"),
            ("a: 1\n---\nb: 2\n", "expected one YAML document"),
            ("a: &x 1\nb: *x\n", "line 1: anchors and aliases are not supported"),
            ("a: !!str 1\n", "tags are not supported"),
            ("a:\n\tb: 1\n", "f.yaml, line 2: "),
            ("a: [1\nb: 2\n", "f.yaml, line "),
            ("a: 'open\n", "f.yaml, line "),
            ("? [a, b]\n: 1\n", "expected a plain key"),
        ] {
            let error = read_text(text).expect_err(text);
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused_and_does_not_exhaust_the_stack() {
        let error = read_text(&"- ".repeat(20_000)).expect_err("too deep");
        assert!(error.contains("nested deeper than 16 levels"), "{error}");
        read_text(&"[".repeat(200_000)).expect_err("too deep for the scanner");
    }
}
