//! Rust sources as the few kinds of tokens that paths consist of. Comments and literals are left out.

/// A token of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or keyword, raw ones without `r#`.
    Word(String),
    /// `::`
    PathSeparator,
    /// Any other character that is no blank.
    Other(char),
}

/// The tokens of `text`, each with its line, counted from 1.
pub(super) fn tokens(text: &str) -> Vec<(Token, usize)> {
    Lexer { rest: text, line: 1, tokens: Vec::new() }.run()
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<(Token, usize)>,
}

impl<'a> Lexer<'a> {
    /// Goes on by so many bytes and returns what they were.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.line += skipped.matches('\n').count();
        self.rest = rest;
        skipped
    }

    fn run(mut self) -> Vec<(Token, usize)> {
        while let Some(next) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.block_comment();
            } else if let Some(hashes) = raw_string(self.rest) {
                let open = self.rest.find('"').expect("a raw string has a quote") + 1;
                self.skip(open);
                let close = format!("\"{}", "#".repeat(hashes));
                self.skip(self.rest.find(&close).map_or(self.rest.len(), |at| at + close.len()));
            } else if next == '"' {
                self.string();
            } else if next == '\'' {
                self.quote();
            } else if next.is_alphabetic() || next == '_' {
                self.rest = self.rest.strip_prefix("r#").unwrap_or(self.rest);
                let word = self.word();
                // The prefix of a byte or C string or character is no word of its own.
                if !(matches!(word, "b" | "c") && self.rest.starts_with(['"', '\''])) {
                    self.tokens.push((Token::Word(word.to_owned()), self.line));
                }
            } else if next.is_ascii_digit() {
                self.word();
            } else if self.rest.starts_with("::") {
                self.tokens.push((Token::PathSeparator, self.line));
                self.skip(2);
            } else {
                if !next.is_whitespace() {
                    self.tokens.push((Token::Other(next), self.line));
                }
                self.skip(next.len_utf8());
            }
        }
        self.tokens
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        self.skip(end)
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while !self.rest.is_empty() {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
                if depth == 0 {
                    return;
                }
            } else {
                self.skip(self.rest.chars().next().map_or(0, char::len_utf8));
            }
        }
    }

    fn string(&mut self) {
        let mut escaped = true;
        let end = self.rest.find(|c: char| {
            let closes = c == '"' && !escaped;
            escaped = !escaped && c == '\\';
            closes
        });
        self.skip(end.map_or(self.rest.len(), |at| at + 1));
    }

    /// A character or a lifetime.
    fn quote(&mut self) {
        let mut following = self.rest.chars().skip(1);
        match (following.next(), following.next()) {
            (Some('\\'), _) => {
                self.skip(3);
                self.skip(self.rest.find('\'').map_or(self.rest.len(), |at| at + 1));
            }
            (Some(character), Some('\'')) => {
                self.skip(2 + character.len_utf8());
            }
            _ => {
                self.skip(1);
                self.word();
            }
        }
    }
}

/// How many `#` a raw string that starts here has; none when there is none.
fn raw_string(text: &str) -> Option<usize> {
    let rest =
        ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix).filter(|r| r.starts_with(['#', '"'])))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

#[test]
fn comments_and_literals_say_nothing() {
    let text = r###"
        // a::b
        /* c /* d */ e::f */
        "g \" h::i" r"j" r#"k " l"# b"m" br##"n"# o"## 'p' '\'' b'q' '\u{1f600}' 1_000u64 0xff
        r#type::<'static>
    "###;
    let words = tokens(text);
    let word = |text: &str| Token::Word(text.to_owned());
    assert_eq!(words, [(word("type"), 5), (Token::PathSeparator, 5), (Token::Other('<'), 5), (Token::Other('>'), 5)]);
}
