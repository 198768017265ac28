//! Steady time: whole microseconds that pass at the speed of real time, whatever the time of day is set to.
//!
//! Deadlines, ages and durations are stored and compared in steady time. It is the time of day of the moment when the
//! store was made, and from then on follows the time since the host started. The time of day decides only how long the
//! host was off, when it was started again since.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension};

use super::micros;
use crate::ports::driven::Clock;

/// The steady time of a store.
pub(in crate::adapters::queue) struct SteadyTime {
    clock: Arc<dyn Clock>,
    /// Steady time when the host started.
    at_boot: AtomicI64,
    /// When it was last saved, in steady time.
    saved: AtomicI64,
    /// Whether the host was started since a process before this one saved it.
    rebooted: bool,
}

/// One moment, by both kinds of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters::queue) struct Moment {
    /// The time of day, in microseconds since 1970: for people.
    pub(in crate::adapters::queue) at: i64,
    /// Steady time: for decisions.
    pub(in crate::adapters::queue) steady: i64,
}

/// A moment that was saved.
struct Saved {
    boot: [u8; 16],
    uptime: i64,
    steady: i64,
    wall: i64,
}

/// How old what is saved may become: as much as a time of day that is set may add to the time that a host was off.
const SAVE_AFTER: Duration = Duration::from_mins(1);

impl SteadyTime {
    /// The steady time of this store, which goes on from what it last saved.
    pub(in crate::adapters::queue) fn open(connection: &Connection, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        let (now, wall) = (clock.uptime(), micros(clock.now()));
        let uptime = whole(now.elapsed);
        let saved = saved(connection)?;
        let rebooted = saved.as_ref().is_some_and(|saved| saved.boot != *now.boot.as_bytes());
        let steady = match saved {
            None => wall,
            Some(saved) if saved.boot == *now.boot.as_bytes() => saved.steady + (uptime - saved.uptime).max(0),
            Some(saved) => saved.steady + (wall - saved.wall).max(0),
        };
        let (at_boot, saved) = (AtomicI64::new(steady - uptime), AtomicI64::new(i64::MIN));
        let time = Self { clock, at_boot, saved, rebooted };
        time.save(connection)?;
        Ok(time)
    }

    /// This moment.
    pub(in crate::adapters::queue) fn moment(&self) -> Moment {
        Moment { at: micros(self.clock.now()), steady: self.now() }
    }

    /// Whether the host was off since a process before this one: how long, only the time of day has told so far.
    pub(in crate::adapters::queue) const fn has_rebooted(&self) -> bool {
        self.rebooted
    }

    /// It is not later than this: something else than the time of day knows how long the host was off.
    pub(in crate::adapters::queue) fn is_not_after(&self, moment: i64) {
        let late = self.now().saturating_sub(moment).max(0);
        self.at_boot.fetch_sub(late, Ordering::Relaxed);
    }

    /// Now.
    pub(in crate::adapters::queue) fn now(&self) -> i64 {
        self.at_boot.load(Ordering::Relaxed) + whole(self.clock.uptime().elapsed)
    }

    /// How long a moment is past; zero for one to come.
    pub(in crate::adapters::queue) fn since(&self, moment: i64) -> Duration {
        between(moment, self.now())
    }

    /// Saves the moment in the transaction that is under way, unless that was done a short time ago.
    pub(in crate::adapters::queue) fn save_sometimes(&self, connection: &Connection) -> rusqlite::Result<()> {
        let due = self.saved.load(Ordering::Relaxed).saturating_add(whole(SAVE_AFTER));
        if self.now() >= due { self.save(connection) } else { Ok(()) }
    }

    /// Saves the moment, for the next process.
    pub(in crate::adapters::queue) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let (now, wall) = (self.clock.uptime(), micros(self.clock.now()));
        let uptime = whole(now.elapsed);
        let steady = self.at_boot.load(Ordering::Relaxed) + uptime;
        connection
            .prepare_cached(
                "INSERT INTO steady_time (one, boot, uptime, steady, wall) VALUES (1, ?1, ?2, ?3, ?4) \
                 ON CONFLICT (one) DO UPDATE SET boot = ?1, uptime = ?2, steady = ?3, wall = ?4",
            )?
            .execute((now.boot.as_bytes(), uptime, steady, wall))?;
        self.saved.store(steady, Ordering::Relaxed);
        Ok(())
    }
}

fn saved(connection: &Connection) -> rusqlite::Result<Option<Saved>> {
    connection
        .query_row("SELECT boot, uptime, steady, wall FROM steady_time", [], |row| {
            Ok(Saved { boot: row.get(0)?, uptime: row.get(1)?, steady: row.get(2)?, wall: row.get(3)? })
        })
        .optional()
}

/// The time from one moment to a later one; zero when it is not later.
pub(in crate::adapters::queue) fn between(earlier: i64, later: i64) -> Duration {
    Duration::from_micros(u64::try_from(later.saturating_sub(earlier)).unwrap_or_default())
}

/// A length of time in whole microseconds.
pub(in crate::adapters::queue) fn whole(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::{adapters::queue::store::migrate, ports::driven::Uptime};

    const HOUR: i64 = 3_600_000_000;

    /// A host whose clocks the test sets.
    struct Host(Mutex<(i64, u128, i64)>);

    impl Clock for Host {
        fn now(&self) -> Timestamp {
            Timestamp::from_microsecond(self.0.lock().expect("lock").0).expect("in range")
        }

        fn uptime(&self) -> Uptime {
            let (_, boot, uptime) = *self.0.lock().expect("lock");
            let elapsed = Duration::from_micros(u64::try_from(uptime).expect("positive"));
            Uptime { boot: Uuid::from_u128(boot), elapsed }
        }
    }

    /// A store, and a host whose time of day is `wall` in its boot `boot`, which began `uptime` ago.
    fn host(wall: i64, boot: u128, uptime: i64) -> Arc<Host> {
        Arc::new(Host(Mutex::new((wall, boot, uptime))))
    }

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().expect("opens");
        migrate(&mut connection).expect("migrates");
        connection
    }

    fn open(connection: &Connection, host: &Arc<Host>) -> SteadyTime {
        SteadyTime::open(connection, Arc::clone(host) as _).expect("opens")
    }

    #[test]
    fn a_time_of_day_that_is_set_moves_nothing() {
        let (connection, host) = (store(), host(100 * HOUR, 1, HOUR));
        let time = open(&connection, &host);
        let begun = time.now();
        for step in [50 * HOUR, -80 * HOUR] {
            host.0.lock().expect("lock").0 += step;
            assert_eq!(time.now(), begun);
        }
        host.0.lock().expect("lock").2 += HOUR;
        assert_eq!((time.now(), time.since(begun)), (begun + HOUR, Duration::from_hours(1)));
        assert_eq!(time.since(begun + 9 * HOUR), Duration::ZERO);
    }

    #[test]
    fn a_process_goes_on_where_the_one_before_was_whatever_the_time_of_day_says() {
        let (connection, before) = (store(), host(100 * HOUR, 1, HOUR));
        let begun = open(&connection, &before).now();
        for wall in [0, 100 * HOUR, 500 * HOUR] {
            assert_eq!(open(&connection, &host(wall, 1, 3 * HOUR)).now(), begun + 2 * HOUR, "{wall}");
        }
    }

    #[test]
    fn only_the_time_of_day_knows_how_long_a_host_was_off_and_it_never_goes_back() {
        let (connection, before) = (store(), host(100 * HOUR, 1, HOUR));
        let begun = open(&connection, &before).now();
        assert_eq!(open(&connection, &host(102 * HOUR, 2, 0)).now(), begun + 2 * HOUR);
        assert_eq!(open(&connection, &host(1, 3, 7)).now(), begun + 2 * HOUR);
        // Unless something else knows it too.
        let time = open(&connection, &host(500 * HOUR, 4, 0));
        time.is_not_after(begun + 3 * HOUR);
        assert_eq!(time.now(), begun + 3 * HOUR);
        time.is_not_after(begun + 9 * HOUR);
        assert_eq!(time.now(), begun + 3 * HOUR);
    }

    #[test]
    fn what_is_saved_becomes_a_minute_old_at_most() {
        let (connection, host) = (store(), host(100 * HOUR, 1, HOUR));
        let time = open(&connection, &host);
        let wall = || saved(&connection).expect("reads").expect("there is one").wall;
        host.0.lock().expect("lock").0 += 7;
        time.save_sometimes(&connection).expect("is fresh");
        assert_eq!(wall(), 100 * HOUR);
        host.0.lock().expect("lock").2 += whole(SAVE_AFTER);
        time.save_sometimes(&connection).expect("saves");
        assert_eq!(wall(), 100 * HOUR + 7);
    }
}
