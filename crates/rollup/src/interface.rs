//! What a unit learns of each ENI: whose it is, how long its windows are, whether it only passes traffic on, and where
//! its log has holes.

use super::packed::{NO_SERVICE, is_some};
use super::sighted::{Places, Sighted, Tally};
use flow::Address;
use flow::time::HOUR_S;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use scan::NONE;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Longest record, in seconds, that a 60-second aggregation interval explains.
const SHORT_WINDOW_LIMIT_S: u16 = 65;

/// Records of one ENI in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HourCoverage {
    pub(super) records: u64,
    pub(super) nodata: u32,
    pub(super) skipdata: u32,
    /// Seconds of the windows that AWS says it lost records of.
    pub(super) skipdata_s: u32,
    /// The minutes of the hour that such windows touch, one a bit.
    pub(super) skipdata_minutes: u64,
}

/// A text of an ENI, and who tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Its number in the text book; [`NONE`] where the log does not say.
    pub(super) text: u32,
    /// The place among the unit's objects of the one that tells it; [`NOBODY`] where none has the field.
    by: u32,
}

/// Stands for an object where none tells.
const NOBODY: u32 = u32::MAX;

impl Told {
    pub(super) fn new(text: u32, by: u32) -> Self {
        Self { text, by }
    }

    /// Of two objects the first counts, whichever was read first.
    fn merge(&mut self, other: Self) {
        if other.by < self.by {
            *self = other;
        }
    }
}

impl Default for Told {
    fn default() -> Self {
        Self { text: NONE, by: NOBODY }
    }
}

/// An ENI's texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InterfaceTexts {
    pub(super) account: Told,
    pub(super) instance: Told,
    pub(super) vpc: Told,
    pub(super) subnet: Told,
    pub(super) kind: Told,
    pub(super) region: Told,
}

impl InterfaceTexts {
    fn merge(&mut self, other: &Self) {
        self.account.merge(other.account);
        self.instance.merge(other.instance);
        self.vpc.merge(other.vpc);
        self.subnet.merge(other.subnet);
        self.kind.merge(other.kind);
        self.region.merge(other.region);
    }
}

/// One ENI, by what its records say.
#[derive(Clone, Debug, Default)]
pub(super) struct Interface {
    pub(super) texts: InterfaceTexts,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(super) translates: bool,
    /// Some records stand with the host that they name, since nothing spoke for a gateway.
    pub(super) settled: bool,
    pub(super) longest_record_s: u16,
    /// How many records named each address (by number), where the log does not tell the direction.
    pub(super) votes: HashMap<u32, u32, FixedState>,
    pub(super) hours: Hours,
}

/// Coverage by hour, in seconds since 1970.
///
/// Nearly every object has records of one hour only, and there are thousands of ENIs in each of thousands of objects:
/// the first hour takes no memory of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours {
    first: Option<(i64, HourCoverage)>,
    others: BTreeMap<i64, HourCoverage>,
}

impl Hours {
    /// The coverage of an hour, to be added to.
    #[inline]
    pub(super) fn at(&mut self, hour_s: i64) -> &mut HourCoverage {
        let (first_s, first) = self.first.get_or_insert((hour_s, HourCoverage::default()));
        if *first_s == hour_s { first } else { self.others.entry(hour_s).or_default() }
    }

    /// Notes a window of which AWS lost records, `duration_s` seconds from `start_s` on; it may run into the next hour,
    /// which has no row of its own by that.
    pub(super) fn lose(&mut self, start_s: i64, duration_s: u32) {
        let minutes = start_s.div_euclid(60)..(start_s + i64::from(duration_s)).div_euclid(60) + 1;
        for minute in minutes.take(60) {
            self.at(minute.div_euclid(60) * HOUR_S).skipdata_minutes |= 1 << minute.rem_euclid(60);
        }
    }

    /// The hours so far, sorted.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (i64, HourCoverage)> + '_ {
        let first_s = self.first.map_or(i64::MIN, |(hour_s, _)| hour_s);
        let others =
            |range: (Bound<i64>, Bound<i64>)| self.others.range(range).map(|(hour_s, coverage)| (*hour_s, *coverage));
        others((Bound::Unbounded, Bound::Excluded(first_s)))
            .chain(self.first)
            .chain(others((Bound::Excluded(first_s), Bound::Unbounded)))
    }

    fn merge(&mut self, other: &Hours) {
        for (hour, coverage) in
            other.first.iter().map(|(hour, of)| (*hour, of)).chain(other.others.iter().map(|(hour, of)| (*hour, of)))
        {
            let mine = self.at(hour);
            mine.records += coverage.records;
            mine.nodata += coverage.nodata;
            mine.skipdata += coverage.skipdata;
            mine.skipdata_s = (mine.skipdata_s + coverage.skipdata_s).min(HOUR_S as u32);
            mine.skipdata_minutes |= coverage.skipdata_minutes;
        }
    }
}

/// Tells whether an `interface_type` is one that only passes traffic on.
pub(super) fn is_gateway(kind: &str) -> bool {
    kind.contains("nat_gateway") || kind.contains("transit_gateway") || kind.contains("load_balancer")
}

/// An IPv6 network of 56 bits, which is what AWS gives a VPC. The addresses of hosts are public ones, so no list of
/// internal networks tells them; but where one ENI's address lies, there lie those of its neighbours.
pub(super) type Home = u128;

/// The network of an IPv6 address.
pub(super) fn home_of(address: Address) -> Home {
    address.bits() >> (u128::BITS - 56)
}

impl Interface {
    /// Tells whether `instance_id` is logged and is `-`: a requester manages the ENI.
    pub(super) fn has_no_instance(&self) -> bool {
        self.texts.instance.by != NOBODY && !is_some(self.texts.instance.text)
    }

    /// The aggregation interval in seconds, 60 or 600, by the longest record seen.
    pub(super) fn window_s(&self) -> u32 {
        if self.longest_record_s <= SHORT_WINDOW_LIMIT_S { 60 } else { 600 }
    }

    /// Tells whether the ENI only passes traffic on. `kind` is its `interface_type` where logged (version 11);
    /// otherwise a requester-managed ENI whose packet-level addresses differ is a NAT or transit gateway.
    pub(super) fn is_transit(&self, kind: Option<&str>) -> bool {
        match kind {
            Some(kind) => is_gateway(kind),
            None => self.has_no_instance() && self.translates,
        }
    }

    /// The ENI's own IPv4 or IPv6 address by code: the one that most records name; of equals one that is `ours`, and
    /// then the lowest.
    ///
    /// An ENI that talked to a single remote names both equally often.
    pub(super) fn own_address(
        &self,
        v4: bool,
        address_of: impl Fn(u32) -> Address,
        ours: impl Fn(Address) -> bool,
    ) -> Option<u32> {
        let votes = self.votes.iter().map(|(code, votes)| (*code, *votes, address_of(*code)));
        let best = votes.filter(|(_, _, address)| address.is_v4() == v4);
        best.max_by_key(|(_, votes, address)| (*votes, ours(*address), std::cmp::Reverse(*address)))
            .map(|(code, _, _)| code)
    }

    /// The network of the ENI's own IPv6 address, where its records leave no doubt about it.
    pub(super) fn home(&self, address_of: impl Fn(u32) -> Address) -> Option<Home> {
        let addresses = self.votes.iter().map(|(code, votes)| (*votes, address_of(*code)));
        let mut votes: Vec<(u32, Address)> = addresses.filter(|(_, address)| !address.is_v4()).collect();
        votes.sort_unstable_by(|a, b| b.cmp(a));
        match votes[..] {
            [(most, own), (next, _), ..] if most > next => Some(home_of(own)),
            _ => None,
        }
    }

    /// Adds what another object says of the same ENI; the order of objects makes no difference.
    fn merge(&mut self, other: &Interface) {
        self.texts.merge(&other.texts);
        self.translates |= other.translates;
        self.settled |= other.settled;
        self.longest_record_s = self.longest_record_s.max(other.longest_record_s);
        for (address, votes) in &other.votes {
            *self.votes.entry(*address).or_default() += votes;
        }
        self.hours.merge(&other.hours);
    }
}

/// The ENIs of a unit, by the number of their name in the text book.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    places: Places,
    entries: Vec<(u32, Interface)>,
    /// Beside `entries`: what objects of one hour added up to, which nearly all of a unit are. They are merged one at a
    /// time, and this is all that most of them touch.
    tallies: Vec<Tally>,
    /// ENI, hour and flow log, where the unit has several flow logs.
    logged: HashSet<(u32, u32, u32), FixedState>,
}

impl Interfaces {
    /// Merges an object's ENIs in, which is of some flow log; the order of objects makes no difference.
    pub(super) fn merge(&mut self, other: Sighted, flow_log: Option<u32>) {
        if let Some(flow_log) = flow_log {
            let named = other.names.iter().zip(&other.tallies).filter(|(name, _)| !Self::is_nameless(**name));
            // Of an object of several hours the last stands for all: objects are of some minutes.
            self.logged.extend(named.filter(|(_, of)| of.records > 0).map(|(name, of)| (*name, of.hour_s, flow_log)));
        }
        for ((name, tally), beyond) in other.names.into_iter().zip(other.tallies).zip(other.beyond) {
            let place = self.places.of(name, self.entries.len());
            if place == self.entries.len() {
                self.entries.push((name, Interface::default()));
                self.tallies.push(Tally::default());
            }
            if !self.tallies[place].join(&tally) {
                let full = std::mem::replace(&mut self.tallies[place], tally);
                full.close(&mut self.entries[place].1);
            }
            if let Some(beyond) = beyond {
                self.entries[place].1.merge(&beyond);
            }
        }
    }

    /// ENIs, each hour by itself, that several flow logs wrote.
    pub(super) fn doubled(&self) -> u64 {
        let mut hours: HashMap<(u32, u32), u32, FixedState> = HashMap::default();
        for (name, hour_s, _) in &self.logged {
            *hours.entry((*name, *hour_s)).or_default() += 1;
        }
        hours.values().filter(|logs| **logs > 1).count() as u64
    }

    /// The ENIs, each with the number of its name.
    pub(super) fn into_entries(mut self) -> Vec<(u32, Interface)> {
        self.entries.iter_mut().zip(&self.tallies).for_each(|((_, entry), tally)| tally.close(entry));
        self.entries
    }

    /// Tells whether the entry stands for records that name no ENI.
    pub(super) fn is_nameless(name: u32) -> bool {
        name == NONE
    }
}

/// AWS services by their number in the text book, numbered from 0 in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Services {
    numbers: HashMap<u32, u16, FixedState>,
    texts: Vec<u32>,
    /// There were more than a record can carry, so nobody's is told: which of them fit would depend on their order.
    overflown: bool,
}

impl Services {
    /// Returns the number of a service, entering it when it is new; [`NO_SERVICE`] when there are too many.
    pub(super) fn number(&mut self, text: u32) -> u16 {
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        let Some(number) = u16::try_from(self.texts.len()).ok().filter(|number| *number != NO_SERVICE) else {
            self.overflown = true;
            return NO_SERVICE;
        };
        self.numbers.insert(text, number);
        self.texts.push(text);
        number
    }

    /// Gives each service its rank by text, and the texts by rank; nothing when there were too many.
    pub(super) fn ranked<'a>(&self, texts: &'a [String]) -> (Vec<u16>, Vec<&'a str>) {
        if self.overflown {
            return (Vec::new(), Vec::new());
        }
        let text = |number: &u32| texts.get(*number as usize).map_or("", String::as_str);
        let mut sorted: Vec<&str> = self.texts.iter().map(text).collect();
        sorted.sort_unstable();
        let rank = |number: &u32| sorted.binary_search(&text(number)).map_or(NO_SERVICE, |rank| rank as u16);
        (self.texts.iter().map(rank).collect(), sorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tallies_add_up_whatever_their_hours(of_objects in prop::collection::vec(
            (0u32..4, prop_oneof![Just(0), 1u32..9, Just(u32::MAX)], 0u32..700, any::<bool>()), 0..12,
        )) {
            let (mut together, mut one_by_one) = (Interfaces::default(), Interface::default());
            for (hour, records, longest_record_s, translates) in of_objects {
                let mut object = Sighted::default();
                let place = object.place(7);
                let hour_s = hour * HOUR_S as u32;
                object.tallies[place] = Tally { hour_s, records, longest_record_s, translates, unsettled: None };
                object.tallies[place].close(&mut one_by_one);
                together.merge(object, None);
            }
            let entries = together.into_entries();
            let told = |of: &Interface| (of.hours.sorted().collect::<Vec<_>>(), of.longest_record_s, of.translates);
            let expected = told(&one_by_one);
            prop_assert_eq!(entries.first().map_or_else(|| told(&Interface::default()), |(_, of)| told(of)), expected);
        }
    }
}
