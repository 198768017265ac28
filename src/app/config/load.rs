//! Loading: putting the layers over one another, reading the settings from the result.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use config::{Config, Map, Value, ValueKind};

use super::{
    ConfigError, Origin, Overrides, Settings,
    config_file::{ConfigFile, find},
    environment::{Environment, SECRETS},
    layer::Layer,
    schema::Schema,
    settings::Conflict,
};

/// Where a configuration file is looked for when none is named.
const CANDIDATES: [&str; 2] = ["osapi.yaml", "/etc/osapi/osapi.yaml"];

/// The effective configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Where the value of each key came from; keys without a value are not in it.
    pub origins: BTreeMap<String, Origin>,
    /// What is odd and may be meant; to be logged.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the configuration: defaults, below `file` (else the file that `OSAPI_CONFIG` names, `./osapi.yaml` or
    /// `/etc/osapi/osapi.yaml`), below the environment, below flags.
    ///
    /// # Errors
    /// All that is wrong, as one error.
    pub fn load(
        file: Option<PathBuf>,
        env: impl Iterator<Item = (OsString, OsString)>,
        flags: Overrides,
    ) -> Result<Loaded, ConfigError> {
        let nodename = rustix::system::uname().nodename().to_string_lossy().into_owned();
        load_on(&Host { nodename, candidates: CANDIDATES.map(PathBuf::from).to_vec() }, file, env, flags)
    }
}

/// What loading takes from the system.
pub(super) struct Host {
    pub(super) nodename: String,
    pub(super) candidates: Vec<PathBuf>,
}

pub(super) fn load_on(
    host: &Host,
    file: Option<PathBuf>,
    env: impl Iterator<Item = (OsString, OsString)>,
    flags: Overrides,
) -> Result<Loaded, ConfigError> {
    let schema = Schema::built_in()?;
    let environment = Environment::new(env);
    let mut mistakes = Vec::new();
    let file = find(file.or_else(|| environment.file.clone()), &host.candidates);
    let file_is_read = file.is_ok();
    let file = file.map_err(|error| mistakes.push(error)).ok().flatten();

    let mut system = Layer::default();
    system.set("job.worker.hostname", Origin::system().mark(host.nodename.as_str()));
    let mut from_file = Layer::default();
    if let Some(ConfigFile { path, entries, .. }) = &file {
        from_file = Layer::of_entries(entries, schema.entries(), &|line| Origin::file(path, line), &mut mistakes);
    }
    let built_in = Layer::of_entries(schema.entries(), schema.entries(), &|_| Origin::default_layer(), &mut mistakes);
    let from_environment = environment.into_layer(&schema, &mut mistakes);
    if !file_is_read {
        // What it says is not known, so nothing can be said about the whole.
        return Err(ConfigError::all(mistakes));
    }
    let merge = |layers: Vec<Layer>| {
        let mut builder = Config::builder().add_source(unset(&schema));
        for layer in layers {
            builder = builder.add_source(layer);
        }
        builder.build().map(|config| config.cache).map_err(|error| ConfigError::Merge(Box::new(error)))
    };
    let standing_in = merge(vec![built_in.clone(), stand_in()])?;
    let merged = merge(vec![built_in, system, from_file, from_environment, flags.into_layer()])?;

    let (settings, refused_keys) = read_settings(&merged, &standing_in, &schema, &mut mistakes);
    let conflicts = settings.iter().flat_map(Settings::conflicts);
    // A value that stands in for a refused one is in conflict with nothing.
    let conflicts = conflicts.filter(|conflict| !refused_keys.iter().any(|key| conflict.concerns(key)));
    mistakes.extend(conflicts.map(|Conflict { key, expected, .. }| refused(&merged, key, expected)));
    let Some(settings) = settings.filter(|_| mistakes.is_empty()) else { return Err(ConfigError::all(mistakes)) };
    let origins = schema
        .leaves()
        .into_iter()
        .filter_map(|leaf| Some((Origin::of(get(&merged, &leaf.key)?)?, leaf.key)))
        .map(|(origin, key)| (key, origin))
        .collect();
    let warning = file.as_ref().and_then(|file| Some(format!("{} {}", file.path.display(), file.warning.as_ref()?)));
    Ok(Loaded { settings, file: file.map(|file| file.path), origins, warnings: warning.into_iter().collect() })
}

/// Reads the settings. A value that is refused is replaced by one that is known to be good, and then the others are
/// read, so that all mistakes are found. The keys of the refused values come with the settings.
fn read_settings(
    merged: &Value,
    standing_in: &Value,
    schema: &Schema,
    mistakes: &mut Vec<ConfigError>,
) -> (Option<Settings>, Vec<String>) {
    let mut values = merged.clone();
    let mut refused_keys: Vec<String> = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Settings>(values.clone()) {
            Ok(settings) => return (Some(settings), refused_keys),
            Err(error) => error,
        };
        mistakes.push(invalid(merged, &error));
        // The path may lead into a list.
        let path = error.path().to_string();
        let leaf = schema.leaves().into_iter().map(|leaf| leaf.key).find(|key| {
            path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
        let replaced = leaf.as_ref().filter(|key| !refused_keys.contains(key)).and_then(|key| {
            *get_mut(&mut values, key)? = get(standing_in, key)?.clone();
            Some(key.clone())
        });
        match replaced {
            Some(key) => refused_keys.push(key),
            None => return (None, refused_keys),
        }
    }
}

/// Stands in for refused values of keys that have no default.
fn stand_in() -> Layer {
    let mut layer = Layer::default();
    layer.set("job.worker.hostname", Origin::system().mark("unknown"));
    layer
}

/// Below all layers, every key is there without a value: the structs know no defaults of their own.
fn unset(schema: &Schema) -> Layer {
    let mut layer = Layer::default();
    for leaf in schema.leaves() {
        let kind = match leaf.shape {
            super::schema::Shape::List => ValueKind::Array(Vec::new()),
            super::schema::Shape::Pairs => ValueKind::Table(Map::new()),
            super::schema::Shape::Text | super::schema::Shape::Section(_) => ValueKind::Nil,
        };
        layer.set(&leaf.key, Value::new(None, kind));
    }
    layer
}

fn get<'a>(merged: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(merged, |value, part| match &value.kind {
        ValueKind::Table(entries) => entries.get(part),
        _ => None,
    })
}

fn get_mut<'a>(merged: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    key.split('.').try_fold(merged, |value, part| match &mut value.kind {
        ValueKind::Table(entries) => entries.get_mut(part),
        _ => None,
    })
}

fn invalid(merged: &Value, error: &serde_path_to_error::Error<config::ConfigError>) -> ConfigError {
    let mut cause = error.inner();
    while let config::ConfigError::At { error, .. } = cause {
        cause = error;
    }
    refused(merged, &error.path().to_string(), cause.to_string())
}

/// What to do about a name of the system that is no name in the fleet.
const NAME_IT: &str = "; the hostname of the system does not fit: give this host a name with `job.worker.hostname` \
                       (OSAPI_JOB__WORKER__HOSTNAME)";

/// Says what is wrong with a key, with its value and origin where they may be shown.
fn refused(merged: &Value, key: &str, expected: String) -> ConfigError {
    let value = get(merged, key);
    // An address may hold a password, although none is allowed to.
    let shown = value.filter(|_| !SECRETS.contains(&key)).and_then(written).filter(|text| !text.contains('@'));
    let origin = value.and_then(Origin::of);
    let cure = if origin == Some(Origin::system()) { NAME_IT } else { "" };
    ConfigError::Invalid { key: key.to_owned(), value: shown, origin, expected: expected + cure }
}

/// A value as it would be written in the environment.
fn written(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::Array(items) => Some(items.iter().filter_map(written).collect::<Vec<_>>().join(",")),
        ValueKind::Table(entries) => {
            let entries: BTreeMap<_, _> = entries.iter().collect();
            let pairs = entries.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", written(value)?)));
            Some(pairs.collect::<Vec<_>>().join(","))
        }
        _ => None,
    }
}
