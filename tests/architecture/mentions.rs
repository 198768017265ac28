//! The paths that a source file names, resolved as far as the rules need it.

use std::collections::HashSet;

use super::lexer::{Token, tokens};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A path from the root of this crate; empty for the root itself or something above it.
    Own(Vec<String>),
    /// A path into another crate, which comes first.
    Foreign(Vec<String>),
}

/// A path in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) named: Named,
    pub(super) line: usize,
    /// Whether it is in code that is only compiled for tests.
    pub(super) in_test: bool,
}

/// Something that starts with `{` and ends with the `}` that leads back to `depth`.
struct Region {
    module: Option<String>,
    depth: usize,
    in_test: bool,
}

/// Every path that the file names. `module` is the module that the file is.
pub(super) fn mentions(text: &str, module: &[String], dependencies: &[String], in_test: bool) -> Vec<Mention> {
    let tokens = tokens(text);
    let declared = declared_modules(&tokens);
    let dependencies = dependencies.iter().map(String::as_str).filter(|name| !declared.contains(name)).collect();
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        module,
        dependencies,
        regions: Vec::new(),
        cfg_test: false,
        in_test,
        found: Vec::new(),
    };
    reader.run();
    reader.found
}

fn word(token: Option<&(Token, usize)>) -> Option<&str> {
    match token {
        Some((Token::Word(word), _)) => Some(word),
        _ => None,
    }
}

fn declared_modules(tokens: &[(Token, usize)]) -> HashSet<&str> {
    tokens.windows(2).filter(|pair| word(pair.first()) == Some("mod")).filter_map(|pair| word(pair.get(1))).collect()
}

/// Modules that the file declares in files of their own, for tests only.
pub(super) fn test_modules(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        if word(window.first()) == Some("mod")
            && window[2].0 == Token::Other(';')
            && let Some(name) = word(window.get(1))
            && (0..at).rev().take(8).any(|start| is_cfg_test(&tokens[start..at]))
        {
            found.push(name.to_owned());
        }
    }
    found
}

/// Whether these tokens begin with `#[cfg(test)]`.
fn is_cfg_test(tokens: &[(Token, usize)]) -> bool {
    let expected = ["#", "[", "cfg", "(", "test", ")", "]"];
    tokens.len() >= expected.len()
        && expected.iter().zip(tokens).all(|(expected, (token, _))| match token {
            Token::Word(word) => word == expected,
            Token::Other(character) => expected.len() == 1 && expected.starts_with(*character),
            Token::PathSeparator => false,
        })
}

struct Reader<'a> {
    tokens: &'a [(Token, usize)],
    at: usize,
    module: &'a [String],
    dependencies: HashSet<&'a str>,
    regions: Vec<Region>,
    /// Whether the item that begins here is compiled for tests only.
    cfg_test: bool,
    in_test: bool,
    found: Vec<Mention>,
}

impl Reader<'_> {
    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn is(&self, character: char) -> bool {
        self.token() == Some(&Token::Other(character))
    }

    fn run(&mut self) {
        let mut depth = 0;
        let mut module = None;
        while let Some(token) = self.token() {
            match token {
                Token::Other('#') if is_cfg_test(&self.tokens[self.at..]) => {
                    self.cfg_test = true;
                    self.at += 7;
                    continue;
                }
                Token::Other('{') => {
                    self.regions.push(Region { module: module.take(), depth, in_test: self.cfg_test });
                    self.cfg_test = false;
                    depth += 1;
                }
                Token::Other('}') => {
                    depth -= 1;
                    self.regions.retain(|region| region.depth < depth);
                    self.cfg_test = false;
                }
                Token::Other(';') => self.cfg_test = false,
                Token::Word(keyword) if keyword == "mod" => {
                    let opens = self.tokens.get(self.at + 2).is_some_and(|(token, _)| *token == Token::Other('{'));
                    module = word(self.tokens.get(self.at + 1)).filter(|_| opens).map(str::to_owned);
                }
                Token::Word(keyword) if keyword == "use" => {
                    self.at += 1;
                    self.use_tree(&[]);
                    continue;
                }
                Token::Word(keyword) if keyword == "extern" && word(self.tokens.get(self.at + 1)) == Some("crate") => {
                    let name = word(self.tokens.get(self.at + 2)).unwrap_or_default().to_owned();
                    self.record(vec![name]);
                    self.at += 2;
                }
                Token::Word(_) | Token::PathSeparator if self.path_begins() => {
                    self.path();
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Whether a path of two or more segments begins here; one of one segment names something that was imported.
    fn path_begins(&self) -> bool {
        let continues = |at: usize| matches!(self.tokens.get(at), Some((Token::PathSeparator, _)));
        let starts = self.at == 0 || !continues(self.at - 1);
        starts && matches!(self.token(), Some(Token::Word(_))) && continues(self.at + 1)
    }

    fn path(&mut self) {
        let mut segments = Vec::new();
        while let Some(segment) = word(self.tokens.get(self.at)) {
            segments.push(segment.to_owned());
            self.at += 1;
            if self.token() != Some(&Token::PathSeparator) {
                break;
            }
            self.at += 1;
        }
        self.record(segments);
    }

    fn use_tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        loop {
            match self.token() {
                Some(Token::PathSeparator) => self.at += 1,
                Some(Token::Word(word)) if word == "as" => self.at += 2,
                Some(Token::Word(word)) if word == "self" && !path.is_empty() => self.at += 1,
                Some(Token::Word(word)) => {
                    path.push(word.clone());
                    self.at += 1;
                }
                Some(Token::Other('*')) => {
                    path.push("*".to_owned());
                    self.at += 1;
                }
                Some(Token::Other('{')) => {
                    self.at += 1;
                    while !self.is('}') && self.token().is_some() {
                        self.use_tree(&path);
                        if self.is(',') {
                            self.at += 1;
                        } else if !self.is('}') {
                            return;
                        }
                    }
                    self.at += 1;
                    return;
                }
                _ => {
                    self.record(path);
                    return;
                }
            }
        }
    }

    fn record(&mut self, path: Vec<String>) {
        let Some(first) = path.first() else { return };
        let named = match first.as_str() {
            "crate" | "osapi" => Named::Own(path[1..].to_vec()),
            "self" | "super" => Named::Own(self.absolute(&path)),
            name if self.dependencies.contains(name) => Named::Foreign(path),
            _ => return,
        };
        let in_test = self.in_test || self.cfg_test || self.regions.iter().any(|region| region.in_test);
        let line = self.tokens.get(self.at.saturating_sub(1)).map_or(0, |(_, line)| *line);
        self.found.push(Mention { named, line, in_test });
    }

    /// Resolves leading `self` and `super`.
    fn absolute(&self, path: &[String]) -> Vec<String> {
        let inline = self.regions.iter().filter_map(|region| region.module.clone());
        let mut absolute: Vec<String> = self.module.iter().cloned().chain(inline).collect();
        for segment in path {
            match segment.as_str() {
                "self" => {}
                "super" => drop(absolute.pop()),
                _ => absolute.push(segment.clone()),
            }
        }
        absolute
    }
}
