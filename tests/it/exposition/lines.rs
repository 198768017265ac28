//! One line of a page.

use super::{Labels, Sample};

pub(super) enum Line<'a> {
    Help { name: &'a str, text: &'a str },
    Type { name: &'a str, kind: &'a str },
    Sample(Sample),
}

pub(super) fn read_line(line: &str) -> Result<Line<'_>, String> {
    if let Some(rest) = line.strip_prefix("# HELP ") {
        let (name, text) = rest.split_once(' ').ok_or("a help without text")?;
        return Ok(Line::Help { name: metric_name(name)?, text });
    }
    if let Some(rest) = line.strip_prefix("# TYPE ") {
        let (name, kind) = rest.split_once(' ').ok_or("a type without a word")?;
        return Ok(Line::Type { name: metric_name(name)?, kind });
    }
    let end = line.find(['{', ' ']).ok_or("neither a comment of the format nor a sample")?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Labels::new(), rest),
    };
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    if value.contains(' ') {
        return Err("a time stamp".to_owned());
    }
    let value = value.parse().map_err(|_| "not a number")?;
    Ok(Line::Sample(Sample { name: metric_name(name)?.to_owned(), labels, value }))
}

fn metric_name(name: &str) -> Result<&str, String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let valid = !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit());
    valid.then_some(name).ok_or_else(|| "not a metric name".to_owned())
}

fn label_name(name: &str) -> Result<&str, String> {
    if name.starts_with("otel_scope_") {
        return Err("a label of the instrumentation scope".to_owned());
    }
    let valid = metric_name(name).is_ok() && !name.contains(':') && !name.starts_with("__");
    valid.then_some(name).ok_or_else(|| "not a label name".to_owned())
}

/// Reads `name="value",…}` and returns what comes after it.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        let (value, after) = quoted(after)?;
        if labels.insert(label_name(name)?.to_owned(), value).is_some() {
            return Err("the same label twice".to_owned());
        }
        if let Some(after) = after.strip_prefix('}') {
            return Ok((labels, after));
        }
        rest = after.strip_prefix(',').ok_or("no comma between labels")?;
    }
}

/// Reads up to the closing quote and returns what comes after it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match chars.next() {
                Some((_, '\\')) => '\\',
                Some((_, '"')) => '"',
                Some((_, 'n')) => '\n',
                _ => return Err("an unknown escape".to_owned()),
            }),
            c => value.push(c),
        }
    }
    Err("a value without an end".to_owned())
}
