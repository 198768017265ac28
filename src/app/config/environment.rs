//! The environment as a layer: `OSAPI_API__SERVER__PORT` is `api.server.port`.
//!
//! Lists are comma-separated, maps are `key=value` pairs separated by commas, an empty variable counts as not set.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use config::{Map, Value};

use super::{
    ConfigError, Origin,
    layer::Layer,
    schema::{Leaf, Schema, Shape, variable},
};

/// Keys whose values are never shown.
pub(super) const SECRETS: [&str; 2] = ["api.server.security.signing_key", "job.queue.nats.password"];

const PREFIX: &str = "OSAPI_";
/// Names the configuration file, so it cannot be in it.
const FILE: &str = "OSAPI_CONFIG";
/// Says that the secrets of the environment wait on standard input. The program sets it for itself.
pub const SECRETS_ON_STDIN: &str = "OSAPI_SECRETS_ON_STDIN";
/// Variables of the client and of the project's own tests, which are no keys either.
const FOREIGN_PREFIXES: [&str; 3] = ["OSAPI_CLIENT_", "OSAPI_TEST_", "OSAPI_BLESS"];

/// The environment variables that hold secrets.
#[must_use]
pub fn secret_variables() -> Vec<String> {
    SECRETS.into_iter().map(variable).collect()
}

/// The variables with the program's prefix.
pub(super) struct Environment {
    /// The file named by `OSAPI_CONFIG`.
    pub(super) file: Option<PathBuf>,
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// Keeps what concerns the configuration and is not empty.
    pub(super) fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut variables: BTreeMap<String, OsString> = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
            .filter(|(name, _)| {
                name != SECRETS_ON_STDIN && !FOREIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            })
            .collect();
        let file = variables.remove(FILE).map(PathBuf::from);
        Self { file, variables }
    }

    /// The values of the variables. A variable that stands for no key, or whose value is not of the shape of its key, is a
    /// mistake and left out.
    pub(super) fn into_layer(self, schema: &Schema, mistakes: &mut Vec<ConfigError>) -> Layer {
        let leaves: BTreeMap<String, Leaf<'_>> =
            schema.leaves().into_iter().map(|leaf| (leaf.variable(), leaf)).collect();
        let mut layer = Layer::default();
        for (name, value) in self.variables {
            let Some(leaf) = leaves.get(&name) else {
                let expected = nearest(&name, &leaves);
                mistakes.push(ConfigError::UnknownVariable { name, expected });
                continue;
            };
            let origin = Origin::variable(&name);
            let value = value.into_string().map_err(|_| "expected UTF-8".to_owned());
            let value = value.and_then(|text| shaped(leaf.shape, &text, &origin));
            match value {
                Ok(value) => layer.set(&leaf.key, value),
                Err(expected) => mistakes.push(ConfigError::Invalid {
                    key: leaf.key.clone(),
                    value: None,
                    origin: Some(origin),
                    expected,
                }),
            }
        }
        layer
    }
}

fn shaped(shape: Shape<'_>, text: &str, origin: &Origin) -> Result<Value, String> {
    match shape {
        Shape::Text | Shape::Section(_) => Ok(origin.mark(text)),
        Shape::List => {
            let items: Vec<&str> = text.split(',').map(str::trim).collect();
            if items.contains(&"") {
                return Err("expected values separated by single commas".to_owned());
            }
            Ok(origin.mark(items.into_iter().map(|item| origin.mark(item)).collect::<Vec<Value>>()))
        }
        Shape::Pairs => {
            let mut pairs = Map::new();
            for pair in text.split(',') {
                let (key, value) =
                    pair.split_once('=').ok_or_else(|| "expected key=value pairs separated by commas".to_owned())?;
                let key = key.trim();
                if pairs.insert(key.to_owned(), origin.mark(value.trim())).is_some() {
                    return Err(format!("expected each key once, but `{}` is there twice", key.escape_debug()));
                }
            }
            Ok(Value::new(None, pairs))
        }
    }
}

/// The variables that share the longest section with an unknown one.
fn nearest(name: &str, known: &BTreeMap<String, Leaf<'_>>) -> String {
    let mut section = name;
    while let Some((parent, _)) = section.rsplit_once("__") {
        section = parent;
        let inside = |known: &&String| known.strip_prefix(section).is_some_and(|rest| rest.starts_with("__"));
        let names: Vec<&str> = known.keys().filter(inside).map(String::as_str).collect();
        if !names.is_empty() {
            return format!("expected one of {}", names.join(", "));
        }
    }
    "expected a key of the configuration, `osapi config show` lists them; levels are separated by `__`".to_owned()
}
