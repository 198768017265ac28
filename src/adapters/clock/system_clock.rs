//! The system's wall clock.

use jiff::Timestamp;

use crate::ports::driven::Clock;

/// The wall clock of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_whole_microseconds() {
        let now = SystemClock.now();
        assert_eq!(now.subsec_nanosecond() % 1_000, 0);
        assert!(now.as_second() > 1_700_000_000);
    }
}
