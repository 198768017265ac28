//! What signals do to a process of the service: some ask it to stop, once softly and twice at once, and none of the others
//! that supervisors and terminals send ends it. docs/process.md has the table.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
};

/// Listens for signals. The receiver turns `true` at the first one that asks for the stop; the second one ends the process,
/// after `last_lines` has written what the log has to say.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn on_signals(last_lines: impl Fn() + Send + 'static) -> io::Result<watch::Receiver<bool>> {
    let (heard, mut asked) = mpsc::unbounded_channel();
    for (kind, name) in
        [(SignalKind::terminate(), "SIGTERM"), (SignalKind::interrupt(), "SIGINT"), (SignalKind::quit(), "SIGQUIT")]
    {
        let heard = heard.clone();
        each(signal(kind)?, move || {
            // The process is ending when there is no receiver any more.
            let _ = heard.send(name);
        });
    }
    each(signal(SignalKind::hangup())?, || {
        tracing::info!(signal = "SIGHUP", "the configuration is read at the next start; this one goes on unchanged");
    });
    for (kind, name) in [(SignalKind::user_defined1(), "SIGUSR1"), (SignalKind::user_defined2(), "SIGUSR2")] {
        each(signal(kind)?, move || tracing::info!(signal = name, "the signal has no meaning here and is ignored"));
    }
    // Sent where a file would exceed the largest size that the process may write. When it is handled, the write fails like
    // any other that finds no room.
    each(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?, || {});

    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        let Some(name) = asked.recv().await else { return };
        tracing::info!(signal = name, "stopping; once more to stop at once");
        stop.send_replace(true);
        let Some(name) = asked.recv().await else { return };
        tracing::warn!(signal = name, "stopping at once");
        last_lines();
        std::process::exit(1);
    });
    Ok(stopping)
}

/// Does something at each signal, for as long as the runtime runs.
fn each(mut signals: Signal, act: impl Fn() + Send + 'static) {
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            act();
        }
    });
}
