//! The clock of the NATS server, as this process knows it: what the server said last, and the time since then on a
//! clock that no one can set.
//!
//! Every record has the time at which the server stored it. So the age of a record is known on every host, whatever the
//! time of day is set to there. Times in records are the server's too, so that those of one job agree.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;

use crate::{
    adapters::queue::store::{between, micros, whole},
    domain::worker::CLOCK_TOLERANCE,
    ports::driven::Clock,
};

/// The clock of the server.
pub(super) struct ServerTime {
    clock: Arc<dyn Clock>,
    /// The server's time when this host started, in microseconds since 1970.
    at_boot: AtomicI64,
    /// Whether this host's time of day was reported as wrong.
    is_off: AtomicBool,
}

/// Whether a clock is further away than it should be.
pub(super) fn is_off(offset: SignedDuration) -> bool {
    offset.unsigned_abs() > CLOCK_TOLERANCE
}

impl ServerTime {
    /// Until the server has said what its time is, it is taken to be that of this host.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let at_boot = AtomicI64::new(micros(clock.now()) - whole(clock.uptime().elapsed));
        Self { clock, at_boot, is_off: AtomicBool::new(false) }
    }

    /// The server says what its time is now. Says once that this host's clock differs, and once that it does no more.
    pub(super) fn heard(&self, now: i64) {
        self.at_boot.store(now - self.uptime(), Ordering::Relaxed);
        let (offset, ahead_seconds) = (self.own_offset(), self.own_offset().as_secs_f64());
        match (self.is_off.swap(is_off(offset), Ordering::Relaxed), is_off(offset)) {
            (false, true) => tracing::warn!(ahead_seconds, "the clock of this host differs from the NATS server's"),
            (true, false) => tracing::info!("the clock of this host agrees with the NATS server's again"),
            _ => {}
        }
    }

    /// Now, in microseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.at_boot.load(Ordering::Relaxed) + self.uptime()
    }

    /// How long ago the server's time was this.
    pub(super) fn age(&self, at: i64) -> Duration {
        between(at, self.now())
    }

    /// Microseconds since this host started.
    pub(super) fn uptime(&self) -> i64 {
        whole(self.clock.uptime().elapsed)
    }

    /// The time of day on this host.
    pub(super) fn time_of_day(&self) -> i64 {
        micros(self.clock.now())
    }

    /// How far this host's time of day is ahead of the server's.
    pub(super) fn own_offset(&self) -> SignedDuration {
        SignedDuration::from_micros(self.time_of_day() - self.now())
    }
}
