//! Layers: what one origin says, checked against the keys that exist, before any layer is put over another.

use config::{Map, Source, Value};

use super::{
    ConfigError, Origin,
    schema::{Shape, join, names},
    yaml::{Entry, Node, NodeKind},
};

/// Keys with values that remember their origin.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(Map<String, Value>);

impl Layer {
    /// The layer of a file, or the built-in one. Keys without a value are not in it. Keys that do not exist, and values of
    /// another shape than their key's, are mistakes and are not in it either.
    pub(super) fn of_entries(
        entries: &[Entry],
        schema: &[Entry],
        origin: &dyn Fn(usize) -> Origin,
        mistakes: &mut Vec<ConfigError>,
    ) -> Self {
        Self(section(entries, schema, "", origin, mistakes))
    }

    /// Sets one key.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn section(
    entries: &[Entry],
    schema: &[Entry],
    prefix: &str,
    origin: &dyn Fn(usize) -> Origin,
    mistakes: &mut Vec<ConfigError>,
) -> Map<String, Value> {
    let mut values = Map::new();
    for Entry { key, line, value } in entries {
        let full_key = join(prefix, key);
        let Some(known) = schema.iter().find(|known| known.key == *key) else {
            let expected = format!("expected one of {}", names(schema));
            let key = full_key.escape_debug().to_string();
            mistakes.push(ConfigError::UnknownKey { key, origin: origin(*line), expected });
            continue;
        };
        if value.kind == NodeKind::Unset {
            continue;
        }
        let shape = Shape::of(&known.value.kind);
        let origin_here = origin(value.line);
        let value = match (shape, &value.kind) {
            (Shape::Section(schema), NodeKind::Map(entries)) => {
                Some(Value::new(None, section(entries, schema, &full_key, origin, mistakes)))
            }
            (Shape::Text, NodeKind::Text(text)) => Some(origin_here.mark(text.clone())),
            (Shape::List, NodeKind::List(items)) => {
                let items = items.iter().map(|item| text(item).map(|text| origin_here.mark(text)));
                items.collect::<Option<Vec<Value>>>().map(|items| origin_here.mark(items))
            }
            (Shape::Pairs, NodeKind::Map(entries)) => {
                let pairs =
                    entries.iter().map(|entry| Some((entry.key.clone(), origin(entry.line).mark(text(&entry.value)?))));
                pairs.collect::<Option<Map<String, Value>>>().map(|pairs| Value::new(None, pairs))
            }
            _ => None,
        };
        if let Some(value) = value {
            values.insert(key.clone(), value);
        } else {
            let expected = shape.expected();
            mistakes.push(ConfigError::Invalid { key: full_key, value: None, origin: Some(origin_here), expected });
        }
    }
    values
}

fn text(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// What the command line says: the highest layer.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Layer);

impl Overrides {
    /// Sets `key` to what was given with `flag`, if it was given.
    #[must_use]
    pub fn with(mut self, key: &'static str, flag: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.0.set(key, Origin::flag(flag).mark(value));
        }
        self
    }

    pub(super) fn into_layer(self) -> Layer {
        self.0
    }
}
