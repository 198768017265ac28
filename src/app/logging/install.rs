//! Puts the log together: what is worth a line, what it looks like, and where it goes.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    panic,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

use super::{log_queue::LogQueue, log_writer};
use crate::app::config::{LogFormat, LogSettings};

/// How long the end of the process waits for lines that are not written yet.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The log of this process. When it is dropped, it waits a moment for what is not written yet.
pub struct Log {
    queue: Arc<LogQueue>,
}

impl Log {
    /// What waits until all lines are written, but not for long: the reader may never read.
    pub fn flush(&self) -> impl Fn() + Send + 'static {
        let queue = Arc::clone(&self.queue);
        move || queue.wait_until_written(LAST_LINES)
    }

    /// How many lines could not be written.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.queue.dropped()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.wait_until_written(LAST_LINES);
    }
}

/// Sends the log of this process to standard error. Once per process; a second call changes nothing.
///
/// # Errors
/// When the system gives no thread, or standard error cannot be duplicated.
pub fn install(settings: &LogSettings) -> io::Result<Log> {
    // A file of its own: nothing that writes to it holds the lock of `io::stderr`.
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let queue = Arc::new(LogQueue::default());
    let level = Level::from(settings.level);
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(lines_of(&queue));
    // The client tells of each of its attempts; what an operator must know of them, the queue says in its own words.
    let client = if level >= Level::DEBUG { LevelFilter::from_level(level) } else { LevelFilter::OFF };
    let targets = Targets::new().with_default(level).with_target("async_nats", client);
    let installed = match settings.format {
        LogFormat::Text => {
            let lines = lines.with_ansi(io::stderr().is_terminal()).with_target(false).log_internal_errors(false);
            tracing::subscriber::set_global_default(lines.finish().with(targets))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).log_internal_errors(false);
            tracing::subscriber::set_global_default(lines.finish().with(targets))
        }
    };
    let log = Log { queue };
    if installed.is_ok() {
        log_writer::start(Arc::clone(&log.queue), stderr)?;
        log_panics(Arc::clone(&log.queue));
    }
    Ok(log)
}

fn log_panics(queue: Arc<LogQueue>) {
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(place, "panic: {words}");
        // It may be one that ends the process.
        queue.wait_until_written(LAST_LINES);
    }));
}

/// Makes writers that put each line into the queue.
pub(super) fn lines_of(queue: &Arc<LogQueue>) -> impl Fn() -> Line + Send + Sync + 'static {
    let queue = Arc::clone(queue);
    move || Line(Arc::clone(&queue))
}

/// Takes one line, which arrives in one piece. Never fails: the code that logs can do nothing about it.
pub(super) struct Line(Arc<LogQueue>);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
