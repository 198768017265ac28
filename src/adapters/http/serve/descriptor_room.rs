//! How many file descriptors connections may take, so that the store and the jobs always find some.

use rustix::process::{Resource, getrlimit};

/// Descriptors that stay free for the store, the queue, logs and the processes of jobs.
const RESERVED: usize = 128;
/// A listener can always take so many connections, whatever the limit of the process.
const FEWEST: usize = 16;

/// The file descriptors that are left for the connections of listeners.
#[derive(Debug)]
pub struct DescriptorRoom(usize);

impl DescriptorRoom {
    /// What the soft limit of this process leaves. Call it after the limit was raised.
    #[must_use]
    pub fn of_process() -> Self {
        let soft = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
        Self::of_limit(soft.unwrap_or(usize::MAX))
    }

    const fn of_limit(soft: usize) -> Self {
        Self(soft.saturating_sub(RESERVED))
    }

    /// How many connections a small listener may have: `wanted`, and never more than a quarter of the room.
    pub fn take_part(&mut self, wanted: usize) -> usize {
        self.take(wanted.min(self.0 / 4))
    }

    /// How many connections a listener may have: `wanted`, or what is left. One descriptor more is taken for the
    /// connection that waits at the limit, and one for the listener.
    pub fn take(&mut self, wanted: usize) -> usize {
        let taken = wanted.min(self.0.saturating_sub(2)).max(FEWEST);
        self.0 = self.0.saturating_sub(taken.saturating_add(2));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_all_listeners_leave_descriptors_for_the_rest() {
        for soft in [256, 1024, 20_000] {
            let mut room = DescriptorRoom::of_limit(soft);
            let (page, main) = (room.take_part(256), room.take(10_000));
            assert!(page + main + 4 <= soft - RESERVED, "{soft}: {page} {main}");
            assert!(main >= 2 * page, "{soft}: {page} {main}");
        }
        let mut room = DescriptorRoom::of_limit(usize::MAX);
        assert_eq!((room.take_part(256), room.take(10_000)), (256, 10_000));
    }

    #[test]
    fn a_limit_that_is_far_too_low_still_serves() {
        let mut room = DescriptorRoom::of_limit(100);
        assert_eq!((room.take_part(256), room.take(10_000)), (FEWEST, FEWEST));
    }

    #[test]
    fn the_limit_is_that_of_the_process() {
        let soft = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
        let taken = DescriptorRoom::of_process().take(usize::MAX);
        assert_eq!(taken, soft.unwrap_or(usize::MAX) - RESERVED - 2);
    }
}
