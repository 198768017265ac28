//! Reads PromQL as far as names go: which series a query selects, inside of which aggregations, and which labels it
//! groups by or makes. What it computes is Prometheus' own business; `promtool` reads every query too.

use std::collections::BTreeSet;

const AGGREGATIONS: [&str; 12] =
    ["sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile", "count_values"];
const CLAUSES: [&str; 4] = ["on", "ignoring", "group_left", "group_right"];
const KEYWORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// A condition on a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) operator: String,
    pub(super) value: String,
}

/// An aggregation, with the labels that it keeps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aggregation {
    pub(super) name: String,
    pub(super) by: Vec<String>,
}

/// Series that a query selects.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selector {
    /// None where only labels are asked for.
    pub(super) metric: Option<String>,
    pub(super) matchers: Vec<Matcher>,
    /// The innermost aggregation around it.
    pub(super) inside: Option<Aggregation>,
}

/// The names in a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Query {
    pub(super) selectors: Vec<Selector>,
    /// Labels in clauses such as `by` and `on`.
    pub(super) grouped: BTreeSet<String>,
    /// Labels that `label_replace` makes.
    pub(super) made: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Symbol(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let take = |allowed: fn(char) -> bool| rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => {
                let end = rest[1..].find(first).ok_or(format!("no end of text: {rest}"))? + 2;
                tokens.push(Token::Text(rest[1..end - 1].to_owned()));
                end
            }
            '0'..='9' | '.' => {
                let end = take(|c| c.is_ascii_alphanumeric() || c == '.');
                tokens.push(Token::Number(rest[..end].to_owned()));
                end
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = take(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            _ => {
                let two = ["=~", "!~", "!=", "==", ">=", "<="].into_iter().find(|two| rest.starts_with(two));
                let symbol = two.map_or_else(|| first.to_string(), str::to_owned);
                let length = symbol.len();
                tokens.push(Token::Symbol(symbol));
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// What an open parenthesis belongs to.
#[derive(Debug, Default)]
struct Frame {
    function: String,
    aggregation: Option<Aggregation>,
    texts: usize,
}

impl Query {
    /// Reads a query in which no variables are left.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { tokens: tokens(text)?, at: 0, frames: Vec::new(), query: Self::default() };
        reader.read().map_err(|error| format!("{error} in {text}"))?;
        if reader.frames.is_empty() { Ok(reader.query) } else { Err(format!("an open parenthesis in {text}")) }
    }

    /// Labels that the result may have, as far as the query itself says.
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.grouped.iter().chain(&self.made).map(String::as_str)
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    frames: Vec<Frame>,
    query: Query,
}

impl Reader {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn symbol_follows(&self, symbol: &str) -> bool {
        self.tokens.get(self.at) == Some(&Token::Symbol(symbol.to_owned()))
    }

    fn read(&mut self) -> Result<(), String> {
        while let Some(token) = self.next() {
            match token {
                Token::Word(word) => self.word(word)?,
                Token::Text(text) => self.text(text),
                Token::Number(_) => {}
                Token::Symbol(symbol) => match symbol.as_str() {
                    "{" => self.selector(None)?,
                    "[" => while self.next().ok_or("a range without an end")? != Token::Symbol("]".to_owned()) {},
                    "(" => self.frames.push(Frame::default()),
                    ")" => drop(self.frames.pop().ok_or("a parenthesis that was not opened")?),
                    "$" => return Err("a variable".to_owned()),
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn word(&mut self, word: String) -> Result<(), String> {
        if AGGREGATIONS.contains(&word.as_str()) {
            return self.aggregation(word);
        }
        if CLAUSES.contains(&word.as_str()) {
            let labels = if self.symbol_follows("(") { self.list()? } else { Vec::new() };
            self.query.grouped.extend(labels);
            return Ok(());
        }
        if matches!(word.as_str(), "by" | "without") {
            return Err(format!("`{word}` behind or without its aggregation"));
        }
        if KEYWORDS.contains(&word.as_str()) {
            return Ok(());
        }
        if self.symbol_follows("(") {
            self.next();
            self.frames.push(Frame { function: word, ..Frame::default() });
            return Ok(());
        }
        if self.symbol_follows("{") {
            self.next();
            return self.selector(Some(word));
        }
        self.select(Some(word), Vec::new());
        Ok(())
    }

    fn aggregation(&mut self, name: String) -> Result<(), String> {
        let mut by = Vec::new();
        if self.tokens.get(self.at) == Some(&Token::Word("by".to_owned())) {
            self.next();
            by = self.list()?;
        }
        if self.next() != Some(Token::Symbol("(".to_owned())) {
            return Err(format!("`{name}` keeps labels `by` name, before its parentheses"));
        }
        self.query.grouped.extend(by.iter().cloned());
        self.frames.push(Frame { aggregation: Some(Aggregation { name, by }), ..Frame::default() });
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        loop {
            match self.next().ok_or("a list without an end")? {
                Token::Word(name) => names.push(name),
                Token::Symbol(symbol) if symbol == ")" => return Ok(names),
                _ => {}
            }
        }
    }

    fn selector(&mut self, metric: Option<String>) -> Result<(), String> {
        let mut matchers = Vec::new();
        loop {
            match (self.next().ok_or("a selector without an end")?, &self.tokens.get(self.at..self.at + 2)) {
                (Token::Word(label), Some([Token::Symbol(operator), Token::Text(value)])) => {
                    matchers.push(Matcher { label, operator: operator.clone(), value: value.clone() });
                    self.at += 2;
                }
                (Token::Symbol(symbol), _) if symbol == "}" => break,
                (Token::Symbol(symbol), _) if symbol == "," => {}
                (token, _) => return Err(format!("{token:?} in a selector")),
            }
        }
        self.select(metric, matchers);
        Ok(())
    }

    fn select(&mut self, metric: Option<String>, matchers: Vec<Matcher>) {
        let inside = self.frames.iter().rev().find_map(|frame| frame.aggregation.clone());
        self.query.selectors.push(Selector { metric, matchers, inside });
    }

    /// The first text of `label_replace` is the label that it makes.
    fn text(&mut self, text: String) {
        if let Some(frame) = self.frames.last_mut() {
            frame.texts += 1;
            if frame.function == "label_replace" && frame.texts == 1 {
                self.query.made.insert(text);
            }
        }
    }
}
