//! What the kernel says about this process, by proc(5). A figure that cannot be read is absent.

use std::{fs, time::Duration};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

/// The figures of the process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProcessFigures {
    /// User and system time, in fractions of a second.
    pub(super) cpu: Duration,
    pub(super) resident_bytes: u64,
    pub(super) threads: u64,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
    /// Start of the process, as time since the start of the system.
    pub(super) started_after_boot: Duration,
}

impl ProcessFigures {
    /// Reads the figures of this process.
    pub(super) fn read() -> Option<Self> {
        // The name of the program need not be text.
        let mut figures = Self::parse(&String::from_utf8_lossy(&fs::read("/proc/self/stat").ok()?))?;
        // The directory is open while it is read, and is one of its own entries.
        figures.open_fds = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1) as u64);
        figures.max_fds = getrlimit(Resource::Nofile).current;
        Some(figures)
    }

    /// Reads `/proc/self/stat`; the program's name stands in parentheses and may contain anything.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // The manual counts from 1, and two fields stand before these.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu: ticks(field(14)? + field(15)?),
            threads: field(20)?,
            started_after_boot: ticks(field(22)?),
            resident_bytes: field(24)? * page_size() as u64,
            open_fds: None,
            max_fds: None,
        })
    }
}

/// The start of the system as Unix time in seconds.
pub(super) fn boot_time() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn ticks(count: u64) -> Duration {
    let per_second = clock_ticks_per_second().max(1);
    Duration::from_secs(count / per_second)
        + Duration::from_secs(count % per_second) / u32::try_from(per_second).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_hostile_name_is_read_all_the_same() {
        let stat =
            "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 250 30 0 0 20 0 9 0 4242 1000000 300 18446744073709551615 1 1";
        let figures = ProcessFigures::parse(stat).expect("a line of proc(5)");
        assert_eq!(figures.cpu, ticks(280));
        assert_eq!((figures.threads, figures.resident_bytes), (9, 300 * page_size() as u64));
        assert_eq!(figures.started_after_boot, ticks(4242));
        assert_eq!(ProcessFigures::parse("7 (cut) S 1"), None);
    }

    #[test]
    fn ticks_keep_their_fractions() {
        let per_second = clock_ticks_per_second();
        assert_eq!(ticks(per_second * 3 + per_second / 4), Duration::from_millis(3_250));
    }

    #[test]
    fn this_process_is_there() {
        let figures = ProcessFigures::read().expect("proc is mounted");
        assert!(figures.resident_bytes > 1 << 20 && figures.threads >= 1, "{figures:?}");
        assert!(figures.open_fds >= Some(3) && figures.max_fds >= figures.open_fds, "{figures:?}");
        assert!(boot_time().expect("proc is mounted") > 1_500_000_000);
    }
}
