//! The log of the process: structured lines on standard error, and panics among them.

use std::{io, panic};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

use super::config::{LogFormat, LogSettings};

/// Sends the log of this process to standard error. Once per process; a second call changes nothing.
pub fn install(settings: &LogSettings) {
    let level = Level::from(settings.level);
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    // The client tells of each of its attempts; what an operator must know of them, the queue says in its own words.
    let client = if level >= Level::DEBUG { LevelFilter::from_level(level) } else { LevelFilter::OFF };
    let targets = Targets::new().with_default(level).with_target("async_nats", client);
    let installed = match settings.format {
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr());
            tracing::subscriber::set_global_default(lines.with_ansi(colours).with_target(false).finish().with(targets))
        }
        LogFormat::Json => {
            tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish().with(targets))
        }
    };
    if installed.is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let words = panic.payload_as_str().unwrap_or("a panic without words");
            tracing::error!(place, "panic: {words}");
        }));
    }
}
