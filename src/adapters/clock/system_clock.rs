//! The clocks of the host.

use std::{fs, sync::OnceLock, time::Duration};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::ports::driven::{Clock, Uptime};

/// Where Linux says which start of the host this is (`proc_sys_kernel(5)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The clocks of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn uptime(&self) -> Uptime {
        let time = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
        let elapsed =
            Duration::from_secs(seconds.unwrap_or_default()) + Duration::from_micros(nanos.unwrap_or_default() / 1_000);
        Uptime { boot: boot(), elapsed }
    }
}

/// The identity of this start of the host. Where the system does not tell, each process has one of its own.
fn boot() -> Uuid {
    static BOOT: OnceLock<Uuid> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let told = fs::read_to_string(BOOT_ID).ok().and_then(|text| Uuid::try_parse(text.trim()).ok());
        told.unwrap_or_else(random)
    })
}

fn random() -> Uuid {
    let mut bytes = [0; 16];
    // Without randomness all processes of such a host look like one boot, whose clock is compared as it is.
    let _ = getrandom::fill(&mut bytes);
    Uuid::from_bytes(bytes)
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

    #[test]
    fn the_uptime_grows_and_stays_in_one_boot() {
        let (earlier, later) = (SystemClock.uptime(), SystemClock.uptime());
        assert_eq!(earlier.boot, later.boot);
        assert!(earlier.elapsed <= later.elapsed && !earlier.elapsed.is_zero());
        assert_eq!(earlier.elapsed.subsec_nanos() % 1_000, 0);
    }
}
