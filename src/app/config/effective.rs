//! The effective configuration, shown to the operator with the origin of each value.

use std::fmt::Write;

use serde_json::Value;

use super::{
    ConfigError, Loaded,
    schema::{Schema, Shape, join},
    yaml::Entry,
};

impl Loaded {
    /// The settings as JSON, secrets left out.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn to_json(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.settings)
    }

    /// The settings as a configuration file with the origin of each value as a comment. Secrets are left out, otherwise
    /// reading it gives the same settings again.
    ///
    /// # Errors
    /// None in practice: the settings are made of text and numbers.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        let schema = Schema::built_in()?;
        let settings = self.to_json().map_err(|error| ConfigError::Show(error.to_string()))?;
        let mut text = String::new();
        self.section(&mut text, schema.entries(), &settings, "");
        Ok(text)
    }

    fn section(&self, text: &mut String, schema: &[Entry], settings: &Value, prefix: &str) {
        let indent = "  ".repeat(prefix.split('.').filter(|part| !part.is_empty()).count());
        for entry in schema {
            let key = join(prefix, &entry.key);
            let value = &settings[&entry.key];
            if let Shape::Section(inner) = Shape::of(&entry.value.kind) {
                let _ = writeln!(text, "{indent}{}:", entry.key);
                self.section(text, inner, value, &key);
                continue;
            }
            let value = flow(value);
            let gap = if value.is_empty() { "" } else { " " };
            let _ = match self.origins.get(&key) {
                Some(origin) => writeln!(text, "{indent}{}:{gap}{value}  # {origin}", entry.key),
                None => writeln!(text, "{indent}{}:{gap}{value}", entry.key),
            };
        }
    }
}

/// A value on one line of YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if is_plain(text) => text.clone(),
        // A JSON string is a double-quoted YAML scalar (YAML 1.2 §1.3).
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let pairs =
                entries.iter().map(|(key, value)| format!("{}: {}", flow(&Value::from(key.as_str())), flow(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether a text reads back as itself without quotes.
fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/' || first == '.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte))
        && !text.eq_ignore_ascii_case("null")
}
