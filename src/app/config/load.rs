//! Loading: finding the file, putting the layers over one another, reading the settings from the result.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use config::{Config, Map, Value, ValueKind};

use super::{
    ConfigError, Origin, Overrides, Settings,
    environment::{Environment, SECRETS},
    layer::Layer,
    schema::Schema,
    settings::Conflict,
    yaml::{self, Entry},
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
}

impl Settings {
    /// Reads the configuration: defaults, below `file` (else the file that `OSAPI_CONFIG` names, `./osapi.yaml` or
    /// `/etc/osapi/osapi.yaml`), below the environment, below flags.
    ///
    /// # Errors
    /// The first thing that is wrong.
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
    let file = find(file.or_else(|| environment.file.clone()), &host.candidates)?;

    let mut system = Layer::default();
    system.set("job.worker.hostname", Origin::system().mark(host.nodename.as_str()));
    let mut from_file = Layer::default();
    if let Some(File { path, entries }) = &file {
        from_file = Layer::of_entries(entries, schema.entries(), &|line| Origin::file(path, line))?;
    }
    let merged = Config::builder()
        .add_source(unset(&schema))
        .add_source(Layer::of_entries(schema.entries(), schema.entries(), &|_| Origin::default_layer())?)
        .add_source(system)
        .add_source(from_file)
        .add_source(environment.into_layer(&schema)?)
        .add_source(flags.into_layer())
        .build()
        .map_err(|error| ConfigError::Merge(Box::new(error)))?
        .cache;

    let settings: Settings =
        serde_path_to_error::deserialize(merged.clone()).map_err(|error| invalid(&merged, &error))?;
    settings.check().map_err(|Conflict { key, expected }| refused(&merged, key, expected))?;
    let origins = schema
        .leaves()
        .into_iter()
        .filter_map(|leaf| Some((Origin::of(get(&merged, &leaf.key)?)?, leaf.key)))
        .map(|(origin, key)| (key, origin))
        .collect();
    Ok(Loaded { settings, file: file.map(|file| file.path), origins })
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

/// A file that was found and read.
struct File {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// A file that is named must exist; of the others the first that exists counts, also when it cannot be read.
fn find(named: Option<PathBuf>, candidates: &[PathBuf]) -> Result<Option<File>, ConfigError> {
    if let Some(path) = named {
        return read(path).map(Some);
    }
    for path in candidates {
        match read(path.clone()) {
            Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            found => return found.map(Some),
        }
    }
    Ok(None)
}

fn read(path: PathBuf) -> Result<File, ConfigError> {
    match fs::read(&path) {
        Err(source) => Err(ConfigError::Unreadable { path, source }),
        Ok(bytes) => Ok(File { entries: parse(&path, &bytes)?, path }),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, ConfigError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        ConfigError::Syntax { origin: Origin::file(path, line), problem: "expected UTF-8".to_owned() }
    })?;
    yaml::read(path, text)
}

fn get<'a>(merged: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(merged, |value, part| match &value.kind {
        ValueKind::Table(entries) => entries.get(part),
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

/// Says what is wrong with a key, with its value and origin where they may be shown.
fn refused(merged: &Value, key: &str, expected: String) -> ConfigError {
    let value = get(merged, key);
    // An address may hold a password, although none is allowed to.
    let shown = value.filter(|_| !SECRETS.contains(&key)).and_then(written).filter(|text| !text.contains('@'));
    ConfigError::Invalid { key: key.to_owned(), value: shown, origin: value.and_then(Origin::of), expected }
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
