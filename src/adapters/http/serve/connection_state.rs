//! Where a connection stands, as its own task writes it and the accept loop reads it.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::{sync::Notify, time::Instant};

/// A request is running: from the end of its head until its answer is handed to the system.
const RUNNING: u64 = u64::MAX;
/// The connection was told to end while no request was running.
const CLOSED: u64 = u64::MAX - 1;
/// Not blocked, or no head has begun.
const NOT: u64 = 0;

/// What the connections of a listener share.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Stamps count from here.
    start: Instant,
    /// Whether a new client waits for a place.
    crowded: AtomicBool,
    /// A connection may have become idle.
    changed: Notify,
}

impl Crowd {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), crowded: AtomicBool::new(false), changed: Notify::new() })
    }

    /// Milliseconds since the start of the listener, and never the word for "not".
    pub(super) fn stamp(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(CLOSED - 2) + 1
    }

    pub(super) fn instant(&self, stamp: u64) -> Instant {
        self.start + Duration::from_millis(stamp - 1)
    }

    /// Says whether a new client waits for a place.
    pub(super) fn set_crowded(&self, crowded: bool) {
        self.crowded.store(crowded, Release);
    }

    /// Returns when a connection has become idle since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) struct ConnectionState {
    crowd: Arc<Crowd>,
    /// Since when it is idle, or that it runs a request, or that it is closed.
    phase: AtomicU64,
    /// Since when the head of the next request is coming.
    head: AtomicU64,
    /// Since when the client takes nothing of an answer.
    blocked: AtomicU64,
    /// Whether a request was ever received.
    used: AtomicBool,
    /// Whether the application has given its whole answer to the running request.
    answered: AtomicBool,
    /// Whether the client may still be sending a body that is not read: the end must wait for it.
    lingers: AtomicBool,
    /// Whether the process stops.
    stopping: AtomicBool,
    /// Whether a new client needs the place of one that does not read.
    wanted: AtomicBool,
    /// Wakes the task of the connection.
    waker: AtomicWaker,
}

/// What a connection waits for, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The first byte of its first request.
    First(Instant),
    /// The rest of a request's head.
    Head(Instant),
    /// The next request.
    Next(Instant),
    /// The application's answer.
    Answer,
    /// A client that reads.
    Reader(Instant),
}

impl ConnectionState {
    pub(super) fn new(crowd: Arc<Crowd>) -> Arc<Self> {
        let phase = AtomicU64::new(crowd.stamp());
        Arc::new(Self {
            crowd,
            phase,
            head: AtomicU64::new(NOT),
            blocked: AtomicU64::new(NOT),
            used: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        })
    }

    /// A request has come whole. `false` when the connection was told to end just before.
    pub(super) fn begin(&self) -> bool {
        self.used.store(true, Relaxed);
        self.head.store(NOT, Relaxed);
        self.answered.store(false, Relaxed);
        let begun = self.phase.fetch_update(AcqRel, Acquire, |phase| (phase != CLOSED).then_some(RUNNING));
        begun.is_ok()
    }

    /// The application has given its whole answer, or its request was dropped.
    pub(super) fn answered(&self) {
        self.answered.store(true, Relaxed);
    }

    /// Everything that was written is with the system: with its answer, a request is over.
    pub(super) fn flushed(&self) {
        if self.answered.load(Relaxed) && self.phase.load(Relaxed) == RUNNING {
            self.answered.store(false, Relaxed);
            self.phase.store(self.crowd.stamp(), Release);
            self.became_movable();
        }
    }

    /// Bytes have come.
    pub(super) fn received(&self) {
        if self.head.load(Relaxed) == NOT && !self.is_running() {
            self.head.store(self.crowd.stamp(), Relaxed);
        }
    }

    /// The client took bytes of an answer, or took none.
    pub(super) fn wrote(&self, progress: bool) {
        let blocked = self.blocked.load(Relaxed) != NOT;
        if progress && blocked {
            self.blocked.store(NOT, Release);
        } else if !progress && !blocked {
            self.blocked.store(self.crowd.stamp(), Release);
            self.became_movable();
        }
    }

    fn became_movable(&self) {
        if self.crowd.crowded.load(Acquire) {
            self.crowd.changed.notify_one();
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.phase.load(Acquire) == RUNNING
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase.load(Acquire) == CLOSED
    }

    /// What the connection waits for.
    pub(super) fn waiting(&self) -> Waiting {
        let blocked = self.blocked.load(Relaxed);
        if blocked != NOT {
            return Waiting::Reader(self.crowd.instant(blocked));
        }
        let phase = self.phase.load(Acquire);
        if phase == RUNNING {
            return Waiting::Answer;
        }
        match (self.head.load(Relaxed), self.used.load(Relaxed)) {
            // Bytes before the first request do not make its time longer.
            (_, false) => Waiting::First(self.crowd.instant(phase.min(CLOSED - 1))),
            (NOT, true) => Waiting::Next(self.crowd.instant(phase.min(CLOSED - 1))),
            (head, true) => Waiting::Head(self.crowd.instant(head)),
        }
    }

    /// Since when it is idle; none when it runs a request.
    pub(super) fn idle_since(&self) -> Option<u64> {
        Some(self.phase.load(Acquire)).filter(|phase| *phase < CLOSED)
    }

    /// Since when its client takes nothing of an answer.
    pub(super) fn blocked_since(&self) -> Option<u64> {
        Some(self.blocked.load(Acquire)).filter(|blocked| *blocked != NOT)
    }

    /// Ends the connection if it is idle since exactly then.
    pub(super) fn close_if_idle(&self, since: u64) -> bool {
        let closed = self.phase.compare_exchange(since, CLOSED, AcqRel, Acquire).is_ok();
        if closed {
            self.waker.wake();
        }
        closed
    }

    /// Asks for its place if its client still takes nothing of an answer.
    pub(super) fn want_place(&self) {
        self.wanted.store(true, Release);
        self.waker.wake();
    }

    /// Whether its place was asked for since the last call.
    pub(super) fn take_wanted(&self) -> bool {
        self.wanted.load(Relaxed) && self.wanted.swap(false, AcqRel)
    }

    /// Asks it to end after the running request.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Release);
        if let Some(since) = self.idle_since() {
            self.close_if_idle(since);
        }
        self.waker.wake();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Acquire)
    }

    /// The client may still be sending what is not read.
    pub(super) fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    /// Wakes this task when the accept loop has a word for the connection.
    pub(super) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_only_while_it_is_idle() {
        let crowd = Crowd::new();
        let state = ConnectionState::new(Arc::clone(&crowd));
        let fresh = state.idle_since().expect("idle");
        assert!(state.begin());
        assert_eq!((state.idle_since(), state.close_if_idle(fresh)), (None, false));
        state.answered();
        assert!(state.is_running(), "the answer is still on its way");
        tokio::time::advance(Duration::from_secs(1)).await;
        state.flushed();
        let idle = state.idle_since().expect("idle again");
        assert!(idle > fresh && !state.close_if_idle(fresh), "it was used meanwhile");
        assert!(state.close_if_idle(idle) && state.is_closed());
        assert!(!state.begin(), "a request that comes too late does not begin");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_knows_what_it_waits_for() {
        let begun = Instant::now();
        let second = |second| begun + Duration::from_secs(second);
        let step = || tokio::time::advance(Duration::from_secs(1));
        let state = ConnectionState::new(Crowd::new());
        step().await;
        state.received();
        assert_eq!(state.waiting(), Waiting::First(begun), "a few bytes win no time");
        assert!(state.begin());
        assert_eq!(state.waiting(), Waiting::Answer);
        state.wrote(false);
        step().await;
        state.wrote(false);
        assert_eq!(state.waiting(), Waiting::Reader(second(1)), "the first refusal counts");
        state.wrote(true);
        state.answered();
        state.flushed();
        assert_eq!(state.waiting(), Waiting::Next(second(2)));
        step().await;
        state.received();
        step().await;
        state.received();
        assert_eq!(state.waiting(), Waiting::Head(second(3)), "the first byte counts");
    }
}
