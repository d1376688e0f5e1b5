//! How many workloads a set of hosts is: addresses that follow one another count once.
//!
//! A task or an instance of an autoscaling group gets a new address each time it starts. Its addresses are never there
//! together, so what counts is the largest number of hosts that exist at once.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// A shorter life says nothing: a quiet host that is seen once a day is not gone for the rest of it.
const MIN_LIFE_S: u32 = 600;

/// Fewest connections of a life, for the same reason.
const MIN_LIFE_CONNECTIONS: u64 = 6;

/// Addresses follow one another only if there are at least so many for each that exists at once: hosts that come and go
/// once are replaced, moved or switched off.
const MIN_GENERATIONS: u64 = 3;

/// The first and last second in which a host was seen, over baseline and window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) first_s: u32,
    pub(crate) last_s: u32,
    pub(crate) connections: u64,
}

impl Default for Life {
    fn default() -> Self {
        Self { first_s: u32::MAX, last_s: 0, connections: 0 }
    }
}

impl Life {
    /// Adds what one pair shows.
    pub(crate) fn add(&mut self, first_s: u32, last_s: u32, connections: u64) {
        self.first_s = self.first_s.min(first_s);
        self.last_s = self.last_s.max(last_s);
        self.connections = self.connections.saturating_add(connections);
    }

    /// Returns the life if it begins and ends within the data; `None` for a host that may have been there all along.
    /// `from_s` and `to_s` are the first second of the data and the first after it.
    pub(crate) fn bounded(self, from_s: i64, to_s: i64) -> Option<Self> {
        let inside = i64::from(self.first_s) >= from_s + i64::from(MIN_LIFE_S)
            || i64::from(self.last_s) + i64::from(MIN_LIFE_S) < to_s;
        let shows = self.last_s.saturating_sub(self.first_s) >= MIN_LIFE_S && self.connections >= MIN_LIFE_CONNECTIONS;
        (inside && shows).then_some(self)
    }
}

/// Lives of a shard's hosts that begin or end within the data, by host and owner.
pub(crate) type BoundedLives = HashMap<(u32, u32), Life, FixedState>;

/// Hosts that are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostCount {
    /// Hosts that may have been there all along.
    lasting: u64,
    /// First and last second of the others.
    bounded: Vec<(u32, u32)>,
}

impl HostCount {
    /// Counts a host.
    pub(crate) fn add(&mut self, life: Option<&Life>) {
        match life {
            Some(life) => self.bounded.push((life.first_s, life.last_s)),
            None => self.lasting += 1,
        }
    }

    /// Returns the number of addresses.
    pub(crate) fn addresses(&self) -> u64 {
        self.lasting + self.bounded.len() as u64
    }

    /// Returns the number of workloads: lasting hosts, and the most others that exist at once, if each place had at least
    /// [`MIN_GENERATIONS`] of them. Does not depend on the order in which hosts were added.
    pub(crate) fn workloads(&self) -> u64 {
        let addresses = self.bounded.len() as u64;
        if addresses < MIN_GENERATIONS {
            return self.addresses();
        }
        let mut begins: Vec<u32> = self.bounded.iter().map(|life| life.0).collect();
        let mut ends: Vec<u32> = self.bounded.iter().map(|life| life.1).collect();
        begins.sort_unstable();
        ends.sort_unstable();
        let (mut ended, mut most) = (0, 0);
        for (begun, begin_s) in begins.iter().enumerate() {
            while ends.get(ended).is_some_and(|end_s| end_s < begin_s) {
                ended += 1;
            }
            most = most.max((begun + 1 - ended) as u64);
        }
        if addresses < MIN_GENERATIONS * most { self.addresses() } else { self.lasting + most }
    }

    /// Returns the bytes of memory beyond the value itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bounded.capacity() * size_of::<(u32, u32)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(lives: &[(u32, u32)]) -> HostCount {
        let mut count = HostCount::default();
        for &(first_s, last_s) in lives {
            count.add(Some(&Life { first_s, last_s, connections: 9 }));
        }
        count
    }

    #[test]
    fn addresses_that_follow_one_another_are_one_workload() {
        let one_by_one: Vec<(u32, u32)> = (0..72).map(|task| (task * 1_200, task * 1_200 + 1_199)).collect();
        let mut hosts = count(&one_by_one);
        assert_eq!((hosts.workloads(), hosts.addresses()), (1, 72));
        hosts.add(None);
        assert_eq!(hosts.workloads(), 2);
        // Three tasks at a time, handed over with a minute together.
        let threes: Vec<(u32, u32)> = (0..72).map(|task| (task / 3 * 1_200, task / 3 * 1_200 + 1_140)).collect();
        assert_eq!(count(&threes).workloads(), 3);
        // Half of the hosts were replaced once.
        let twice: Vec<(u32, u32)> = (0..10).map(|host| (host / 5 * 5_000, host / 5 * 5_000 + 4_000)).collect();
        assert_eq!(count(&twice).workloads(), 10);
    }

    #[test]
    fn quiet_hosts_and_those_that_were_there_all_along_last() {
        let life = |first_s, last_s, connections| Life { first_s, last_s, connections }.bounded(0, 86_400);
        assert_eq!(life(100, 86_000, 900), None);
        assert_eq!(life(40_000, 40_020, 900), None);
        assert_eq!(life(40_000, 44_000, 5), None);
        assert!(life(40_000, 44_000, 6).is_some() && life(0, 44_000, 6).is_some() && life(40_000, 86_399, 6).is_some());
    }

    proptest! {
        #[test]
        fn workloads_equal_a_slow_twin(lives in prop::collection::vec((0u32..200, 0u32..60), 0..40)) {
            let lives: Vec<(u32, u32)> = lives.into_iter().map(|(first_s, length_s)| (first_s, first_s + length_s)).collect();
            let at = |s: u32| lives.iter().filter(|life| life.0 <= s && s <= life.1).count() as u64;
            let most = (0..260).map(at).max().unwrap_or(0);
            let all = lives.len() as u64;
            let expected = if all < 3 || all < 3 * most { all } else { most };
            prop_assert_eq!(count(&lives).workloads(), expected);
            let mut turned = lives.clone();
            turned.reverse();
            prop_assert_eq!(count(&turned).workloads(), expected);
        }
    }
}
