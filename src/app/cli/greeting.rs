//! What a service says on standard output when it is ready.

use std::{fmt::Write as _, fs::File, io, io::Write as _, os::fd::AsFd, thread};

use crate::app::{composition::Addresses, version::VERSION};

/// Says it, without waiting for a reader: one that does not read must not keep the service from working. A service that
/// cannot greet serves all the same.
pub(super) fn say(text: String) {
    // Not through `io::stdout`, whose lock would be held for as long as the reader does not read.
    if let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() {
        let said = move || drop(File::from(stdout).write_all(text.as_bytes()));
        drop(thread::Builder::new().name("greeting".to_owned()).spawn(said));
    }
}

/// The greeting of a process that serves the API.
pub(super) fn for_callers(addresses: &Addresses, token: &str, key_is_configured: bool) -> String {
    let api = addresses.main;
    let origin = if key_is_configured { ", with the configured signing key" } else { "" };
    let mut text = format!("osapi {VERSION} is ready\n");
    let _ = writeln!(text, "  API      http://{api}/api/v1/jobs");
    let _ = writeln!(text, "  docs     http://{api}/docs");
    let _ = writeln!(text, "{}", for_scrapers(addresses));
    let _ = writeln!(text, "  token    {token}{origin}");
    text
}

/// The greeting of a worker.
pub(super) fn of_worker(addresses: &Addresses, hostname: &str) -> String {
    let mut text = format!("osapi {VERSION}: the worker {hostname} is ready\n");
    let _ = writeln!(text, "  health   http://{}/health/ready", addresses.main);
    let _ = writeln!(text, "{}", for_scrapers(addresses));
    text
}

fn for_scrapers(addresses: &Addresses) -> String {
    let url = addresses.metrics_url();
    format!("  metrics  {}", url.unwrap_or_else(|| "off (telemetry.metrics.enabled)".to_owned()))
}
