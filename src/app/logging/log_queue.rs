//! Lines that wait to be written, and how many could not be.

use std::{
    cell::Cell,
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Bytes that may wait: some thousand lines.
pub(super) const CAPACITY: usize = 1 << 20;

thread_local! {
    /// How many dropped lines the next line of this thread tells of; zero where it tells of something else.
    static TELLS_OF: Cell<u64> = const { Cell::new(0) };
}

/// A line that waits.
pub(super) struct Waiting {
    pub(super) line: Vec<u8>,
    /// How many dropped lines it tells of.
    tells_of: u64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Whether the writer has one that is not written yet.
    writing: bool,
    /// Dropped lines that the log has not told of.
    untold: u64,
}

/// A queue with room for [`CAPACITY`] bytes.
#[derive(Default)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    changed: Condvar,
    dropped: Arc<AtomicU64>,
}

impl LogQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a line behind the others, where there is room. One that tells of dropped lines goes before them.
    pub(super) fn push(&self, line: &[u8]) {
        let tells_of = TELLS_OF.take();
        let mut state = self.state();
        if tells_of == 0 && state.bytes + line.len() > CAPACITY {
            self.drop_one(&mut state);
            return;
        }
        state.bytes += line.len();
        let waiting = Waiting { line: line.to_vec(), tells_of };
        if tells_of == 0 {
            state.waiting.push_back(waiting);
        } else {
            state.waiting.push_front(waiting);
        }
        self.changed.notify_all();
    }

    /// The next line to write; waits for one.
    pub(super) fn next(&self) -> Waiting {
        let mut state = self.state();
        state.writing = false;
        self.changed.notify_all();
        loop {
            if let Some(next) = state.waiting.pop_front() {
                state.bytes -= next.line.len();
                state.writing = true;
                return next;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts a line that could not be written.
    pub(super) fn failed(&self, waiting: &Waiting) {
        let mut state = self.state();
        match waiting.tells_of {
            0 => self.drop_one(&mut state),
            // What it told of is still to be told.
            tells_of => state.untold += tells_of,
        }
    }

    fn drop_one(&self, state: &mut State) {
        state.untold += 1;
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Logs how many lines were dropped, where some were.
    pub(super) fn tell(&self) {
        let untold = std::mem::take(&mut self.state().untold);
        if untold > 0 {
            TELLS_OF.set(untold);
            tracing::error!(records = untold, "log records were dropped: what the log is written to failed or blocked");
            TELLS_OF.set(0);
        }
    }

    /// Waits until nothing waits, for at most this time.
    pub(super) fn wait_until_written(&self, at_most: Duration) {
        let is_open = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.changed.wait_timeout_while(self.state(), at_most, is_open));
    }

    /// How many lines could not be written since the start.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }
}
