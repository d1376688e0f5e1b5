//! What the log of an ENI can show, judged by all its pairs in the window: times finer than its windows, and both
//! directions.

use super::records::PairRecord;
use crate::merge::Merger;
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Fewest pairs whose first sights on one second of the window are no chance.
const MIN_PAIRS_ON_GRID: u64 = 3;

/// Share of the length of all vectors together that their mean has where all point the same way, squared.
const SAME_TURN: f64 = 0.9;

/// Length of a vector that stands for a second of the window: sums of whole numbers do not depend on their order.
const VECTOR: f64 = 1_000.0;

/// Fewest pairs with data from which a direction is missing. A connection cut by the edge of the log looks the same.
const MIN_PAIRS_ONE_WAY: u64 = 3;

/// A log has one direction only where at most one in so many pairs with data shows anything else.
const MAX_OTHER_PAIRS: u64 = 20;

/// Largest mean packet without data: a SYN with all its options. Over IPv6, headers are 20 bytes longer.
const EMPTY_PACKET_BYTES: u64 = 64;

/// Sums over the pairs of one ENI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LogSums {
    /// Sum of the vectors of the first sights, each a hand on a clock whose turn is a window.
    x: i64,
    y: i64,
    pairs: u64,
    /// Pairs whose last sight is the end of a window, counted from the first.
    ends: u64,
    /// Pairs with data over TCP, which takes both sides: both were logged.
    both_ways: u64,
    /// The same, and only what the host sent was logged.
    only_out: u64,
    /// The same, and only what the host received was logged.
    only_in: u64,
}

impl LogSums {
    fn add(&mut self, other: &Self) {
        self.x += other.x;
        self.y += other.y;
        self.pairs += other.pairs;
        self.ends += other.ends;
        self.both_ways += other.both_ways;
        self.only_out += other.only_out;
        self.only_in += other.only_in;
    }

    fn add_pair(&mut self, pair: &PairRecord, remote: Address) {
        let window_s = i64::from(pair.window_s.max(1));
        let (first_s, last_s) = (i64::from(pair.first_s), i64::from(pair.last_s));
        let turn = 2.0 * PI * (first_s % window_s) as f64 / window_s as f64;
        self.x += (VECTOR * turn.cos()).round() as i64;
        self.y += (VECTOR * turn.sin()).round() as i64;
        self.pairs += 1;
        self.ends += u64::from((last_s - first_s + 1) % window_s <= 1);
        let empty = EMPTY_PACKET_BYTES + if remote.is_v4() { 0 } else { 20 };
        let holds_data = |bytes: u64, packets: u64| bytes > empty.saturating_mul(packets);
        let data = holds_data(pair.bytes_out, pair.packets_out) || holds_data(pair.bytes_in, pair.packets_in);
        if pair.key.protocol == flow::codes::TCP && pair.rejected < pair.records && data {
            match (pair.packets_out > 0, pair.packets_in > 0) {
                (true, true) => self.both_ways += 1,
                (true, false) => self.only_out += 1,
                _ => self.only_in += 1,
            }
        }
    }

    /// Returns whether the first sights share one second of the window. Of a few pairs that is chance, unless their last
    /// sights are the ends of windows as well.
    fn on_grid(&self) -> bool {
        let square = |length: f64| length * length;
        square(self.x as f64) + square(self.y as f64) >= SAME_TURN * square(VECTOR * self.pairs as f64)
            && (self.pairs >= MIN_PAIRS_ON_GRID || 2 * self.ends > self.pairs)
    }

    /// Returns whether one direction only was logged; `None` where too few pairs show it.
    fn one_way(&self) -> Option<bool> {
        let one = self.only_out.max(self.only_in);
        let all = self.both_ways + self.only_out + self.only_in;
        if one >= MIN_PAIRS_ONE_WAY && MAX_OTHER_PAIRS * (all - one) <= all {
            return Some(true);
        }
        (self.both_ways > 0).then_some(false)
    }
}

/// Sums over the pairs of a shard, by the ENI's name and the number of its account and region.
#[derive(Debug, Default)]
pub(crate) struct InterfaceSums<'a> {
    by_interface: HashMap<(Option<&'a str>, u32), LogSums, FixedState>,
}

impl<'a> InterfaceSums<'a> {
    /// Adds pairs of the window.
    pub(crate) fn add_pairs(&mut self, pairs: &[PairRecord], merger: &Merger<'a>) {
        // The pairs of an ENI mostly follow one another.
        let same = |a: &PairRecord, b: &PairRecord| a.sample.same_interface(b.sample) && a.key.owner == b.key.owner;
        for run in pairs.chunk_by(same) {
            let sums = self.by_interface.entry((merger.names(run[0].sample).0, run[0].key.owner)).or_default();
            run.iter().for_each(|pair| sums.add_pair(pair, merger.address(pair.key.remote)));
        }
    }

    /// Adds the sums of another shard.
    pub(crate) fn add(&mut self, other: Self) {
        for (key, sums) in other.by_interface {
            self.by_interface.entry(key).or_default().add(&sums);
        }
    }

    /// Judges each ENI. The result does not depend on the order in which pairs were added.
    pub(crate) fn judge(&self) -> InterfaceLogs {
        let mut sums_by_name: BTreeMap<Option<&str>, LogSums> = BTreeMap::new();
        for ((name, _), sums) in &self.by_interface {
            sums_by_name.entry(*name).or_default().add(sums);
        }
        let mut ways_by_owner: BTreeMap<u32, (bool, bool)> = BTreeMap::new();
        for (name, owner) in self.by_interface.keys() {
            let (any_one, any_both) = ways_by_owner.entry(*owner).or_default();
            match sums_by_name.get(name).and_then(LogSums::one_way) {
                Some(true) => *any_one = true,
                Some(false) => *any_both = true,
                None => {}
            }
        }
        // An ENI with too few pairs to tell is logged like the others of its account and region.
        let owner_one_way = |owner: &u32| ways_by_owner.get(owner) == Some(&(true, false));
        let mut logs = InterfaceLogs::default();
        for (name, owner) in self.by_interface.keys() {
            let Some(sums) = sums_by_name.get(name) else { continue };
            let one_way = sums.one_way().unwrap_or_else(|| owner_one_way(owner));
            let log = match name {
                Some(name) => logs.by_name.entry((*name).to_owned()).or_default(),
                None => &mut logs.nameless,
            };
            // ENIs of one name in several accounts differ at most in what the others of their account tell.
            *log = InterfaceLog { on_grid: name.map(|_| sums.on_grid()), one_way: log.one_way || one_way };
        }
        logs
    }
}

/// What the log of one ENI can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceLog {
    /// Whether its times are no finer than its windows; `None` for pairs without an ENI.
    pub(crate) on_grid: Option<bool>,
    /// Whether it has one direction only, so that silence proves nothing.
    pub(crate) one_way: bool,
}

/// What the logs of all ENIs can show.
#[derive(Debug, Default)]
pub(crate) struct InterfaceLogs {
    by_name: HashMap<String, InterfaceLog, FixedState>,
    /// Of the pairs without an ENI.
    nameless: InterfaceLog,
}

impl InterfaceLogs {
    /// Returns what the log of an ENI can show.
    pub(crate) fn of(&self, name: Option<&str>) -> InterfaceLog {
        let Some(name) = name else { return self.nameless };
        self.by_name.get(name).copied().unwrap_or_default()
    }

    /// Returns the names of the ENIs whose logs have one direction only, sorted.
    pub(crate) fn one_way(&self) -> Vec<String> {
        let one_way = self.by_name.iter().filter(|(_, log)| log.one_way);
        let mut names: Vec<String> = one_way.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{NamesAt, PairKey};
    use flow::codes::Role;

    fn sums(both_ways: u64, only_out: u64, only_in: u64) -> LogSums {
        LogSums { both_ways, only_out, only_in, ..LogSums::default() }
    }

    #[test]
    fn a_direction_is_missing_where_no_pair_has_it() {
        let verdicts = [(0, 2, 0), (0, 3, 0), (1, 19, 0), (2, 19, 0), (0, 0, 5), (0, 4, 4), (1, 0, 0), (0, 0, 0)];
        let one_way = verdicts.map(|(both, out, back)| sums(both, out, back).one_way());
        assert_eq!(one_way, [None, Some(true), Some(true), Some(false), Some(true), None, Some(false), None]);
    }

    #[test]
    fn few_pairs_are_judged_by_the_others_of_their_owner() {
        let logs = |others: &[(&'static str, LogSums)]| {
            let mut all = InterfaceSums::default();
            all.by_interface.extend(others.iter().map(|(name, sums)| ((Some(*name), 0), *sums)));
            all.by_interface.insert((Some("few"), 0), sums(0, 1, 0));
            all.by_interface.insert((Some("elsewhere"), 1), sums(0, 1, 0));
            let logs = all.judge();
            assert!(!logs.of(Some("elsewhere")).one_way && !logs.of(None).one_way);
            (logs.of(Some("few")).one_way, logs.one_way().len())
        };
        assert_eq!(logs(&[]), (false, 0));
        assert_eq!(logs(&[("one", sums(0, 9, 0))]), (true, 2));
        assert_eq!(logs(&[("one", sums(0, 9, 0)), ("both", sums(4, 0, 0))]), (false, 1));
    }

    #[test]
    fn first_sights_on_one_second_are_a_grid() {
        let at = |seconds: &[u32], length_s: u32| {
            let mut all = LogSums::default();
            for first_s in seconds {
                let key = PairKey { host: 0, remote: 1, owner: 0, port: 443, protocol: 6, role: Role::Client };
                let mut pair = PairRecord::new(key, NamesAt { table: 0, interface: 0, service: 0 }, true);
                (pair.first_s, pair.last_s, pair.window_s) = (*first_s, first_s + length_s, 60);
                all.add_pair(&pair, Address::from_bytes([0; 16]));
            }
            all.on_grid()
        };
        assert!(at(&[7, 67, 3_607, 607], 5) && !at(&[7, 20, 3_640, 600], 5));
        // Two are chance unless they end with a window, too.
        assert!(!at(&[7, 67], 5) && at(&[7, 67], 59));
    }
}
