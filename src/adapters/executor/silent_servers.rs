//! Asking filesystems whose server may never answer: nobody waits longer than said, and no second thread waits for a
//! server for which one is waiting already.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// The mount points for which a thread waits.
#[derive(Debug, Clone, Default)]
pub(super) struct SilentServers {
    waiting: Arc<Mutex<HashSet<String>>>,
}

/// A question that was put.
#[derive(Debug)]
pub(super) struct Asked<T>(Result<mpsc::Receiver<T>, String>);

impl SilentServers {
    /// Puts a question about a mount point on a thread of its own.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        point: &str,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Asked<T> {
        if !self.lock().insert(point.to_owned()) {
            return Asked(Err("its server has not answered an earlier question yet".to_owned()));
        }
        let (answer, answered) = mpsc::channel();
        let (servers, asked) = (self.clone(), point.to_owned());
        let started = thread::Builder::new().name("remote-mount".to_owned()).spawn(move || {
            let said = question();
            servers.lock().remove(&asked);
            // Nobody may be waiting any more.
            let _ = answer.send(said);
        });
        Asked(started.map(|_| answered).map_err(|error| {
            self.lock().remove(point);
            format!("cannot start to ask its server: {error}")
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Asked<T> {
    /// The answer, if it comes in time.
    pub(super) fn answer(&self, until: Instant) -> Result<T, String> {
        let patience = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.0
            .as_ref()
            .map_err(Clone::clone)?
            .recv_timeout(patience)
            .map_err(|_| "its server does not answer".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn a_silent_server_keeps_one_thread_and_nobody_waiting() {
        let servers = SilentServers::default();
        let (speak, silence) = mpsc::channel();
        let asked = servers.ask("/mnt/silent", move || silence.recv());
        assert_eq!(asked.answer(soon()), Err("its server does not answer".to_owned()));
        let again = servers.ask("/mnt/silent", || panic!("a second thread"));
        assert!(again.answer(later()).expect_err("still silent").contains("an earlier question"));
        assert_eq!(servers.ask("/mnt/other", || 9).answer(later()), Ok(9));

        speak.send(7).expect("it waits");
        assert_eq!(asked.answer(later()), Ok(Ok(7)));
        assert_eq!(servers.ask("/mnt/silent", || 8).answer(later()), Ok(8));
    }
}
