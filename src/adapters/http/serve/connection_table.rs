//! The connections of a listener, and which of them ends when a new client needs its place.

use std::{collections::HashMap, sync::Arc};

use tokio::task::Id;

use super::connection_state::{ConnectionState, Crowd};

/// A client that takes nothing of its answer keeps its place for so many milliseconds when others need it.
const BLOCKED_AT_LEAST: u64 = 1_000;
/// One search finds the oldest of this part of all connections: closing one costs this many looks on average.
const PART: usize = 16;

/// The connections of a listener.
#[derive(Debug)]
pub(super) struct ConnectionTable {
    crowd: Arc<Crowd>,
    all: HashMap<Id, Arc<ConnectionState>>,
    /// Connections that were idle at the last search, the longest idle last.
    oldest: Vec<(u64, Arc<ConnectionState>)>,
}

impl ConnectionTable {
    pub(super) fn new(crowd: Arc<Crowd>) -> Self {
        Self { crowd, all: HashMap::new(), oldest: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn insert(&mut self, id: Id, state: Arc<ConnectionState>) {
        self.all.insert(id, state);
    }

    pub(super) fn remove(&mut self, id: Id) {
        self.all.remove(&id);
    }

    /// Asks all of them to end after the running request.
    pub(super) fn stop(&self) {
        self.all.values().for_each(|state| state.stop());
    }

    /// Makes one connection end: the one that has been idle longest, else the one whose client has read nothing of its
    /// answer for longest. `false` when all of them run requests.
    pub(super) fn make_room(&mut self) -> bool {
        self.close_oldest() || {
            self.search();
            self.close_oldest() || self.want_blocked()
        }
    }

    fn close_oldest(&mut self) -> bool {
        while let Some((since, state)) = self.oldest.pop() {
            // One that was used since then is not the oldest any more.
            if state.close_if_idle(since) {
                return true;
            }
        }
        false
    }

    fn search(&mut self) {
        let idle = self.all.values().filter_map(|state| Some((state.idle_since()?, Arc::clone(state))));
        self.oldest.extend(idle);
        let wanted = self.oldest.len().div_ceil(PART);
        if wanted < self.oldest.len() {
            self.oldest.select_nth_unstable_by_key(wanted, |(since, _)| *since);
            self.oldest.truncate(wanted);
        }
        self.oldest.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
    }

    fn want_blocked(&self) -> bool {
        let latest = self.crowd.stamp().saturating_sub(BLOCKED_AT_LEAST);
        let blocked = self.all.values().filter_map(|state| Some((state.blocked_since()?, state)));
        let longest = blocked.filter(|(since, _)| *since <= latest).min_by_key(|(since, _)| *since);
        longest.inspect(|(_, state)| state.want_place()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A table of connections that became idle in the order of their numbers.
    async fn table(count: usize) -> (ConnectionTable, Vec<Arc<ConnectionState>>) {
        let crowd = Crowd::new();
        let mut table = ConnectionTable::new(Arc::clone(&crowd));
        let mut states = Vec::new();
        for _ in 0..count {
            let state = ConnectionState::new(Arc::clone(&crowd));
            table.insert(tokio::spawn(async {}).id(), Arc::clone(&state));
            states.push(state);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        (table, states)
    }

    fn closed(states: &[Arc<ConnectionState>]) -> Vec<usize> {
        (0..states.len()).filter(|number| states[*number].is_closed()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_has_been_idle_longest_ends_first() {
        let (mut table, states) = table(100).await;
        for number in [0, 3] {
            assert!(states[number].begin());
        }
        for expected in [vec![1], vec![1, 2], vec![1, 2, 4]] {
            assert!(table.make_room());
            assert_eq!(closed(&states), expected);
        }
        // Found by the same search, but used since.
        assert!(states[5].begin());
        states[5].answered();
        states[5].flushed();
        assert!(table.make_room());
        assert_eq!(closed(&states), [1, 2, 4, 6]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_request_keeps_its_connection_and_a_client_that_does_not_read_gives_way_at_last() {
        let (mut table, states) = table(3).await;
        for state in &states {
            assert!(state.begin());
        }
        assert!(!table.make_room());
        states[2].wrote(false);
        assert!(!table.make_room(), "it may only be slow");
        tokio::time::advance(Duration::from_secs(2)).await;
        states[1].wrote(false);
        assert!(table.make_room());
        let wanted: Vec<bool> = states.iter().map(|state| state.take_wanted()).collect();
        assert_eq!((closed(&states), wanted), (vec![], vec![false, false, true]));
    }
}
