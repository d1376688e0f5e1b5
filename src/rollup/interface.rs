//! What a unit learns of each ENI: whose it is, how long its windows are, whether it only passes traffic on, and where
//! its log has holes.

use super::packed::{NO_SERVICE, is_some};
use crate::flow::Address;
use crate::flow::time::HOUR_S;
use crate::scan::NONE;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
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
#[derive(Clone, Debug)]
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

impl Interface {
    fn new() -> Self {
        Self {
            texts: InterfaceTexts::default(),
            translates: false,
            settled: false,
            longest_record_s: 0,
            votes: HashMap::default(),
            hours: Hours::default(),
        }
    }

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

    /// The ENI's own address by code: the one that most records name; of equals an internal one, and then the lowest.
    ///
    /// An ENI that talked to a single remote names both equally often.
    pub(super) fn own_address(
        &self,
        address_of: impl Fn(u32) -> Address,
        is_internal: impl Fn(Address) -> bool,
    ) -> Option<u32> {
        let most = self.votes.values().copied().max()?;
        let equals = self.votes.iter().filter(|(_, votes)| **votes == most).map(|(code, _)| (*code, address_of(*code)));
        equals.max_by_key(|(_, address)| (is_internal(*address), std::cmp::Reverse(*address))).map(|(code, _)| code)
    }

    /// Adds what another object says of the same ENI; the order of objects makes no difference.
    pub(super) fn merge(&mut self, other: &Interface) {
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

/// What the records of an ENI add up to while an object is read, small enough to stay in the caches for thousands of
/// ENIs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// The hour that `records` are of, in seconds since 1970.
    pub(super) hour_s: u32,
    pub(super) records: u32,
    pub(super) longest_record_s: u16,
    /// A record with traffic was seen, so the texts are all that the object tells.
    pub(super) described: bool,
    /// The ENI may be a gateway's, which only the whole unit tells.
    pub(super) unsettled: bool,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(super) translates: bool,
}

/// The ENIs of one object or unit, by the number of their name in the text book.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// Place in `entries` plus one by text number, 0 for none; the first slot is for records without an ENI.
    places: Vec<u32>,
    pub(super) entries: Vec<(u32, Interface)>,
    /// Beside `entries`.
    pub(super) tallies: Vec<Tally>,
}

impl Interfaces {
    /// Returns the place of an ENI ([`NONE`] is one of its own), making it when it is new.
    #[inline]
    pub(super) fn place(&mut self, name: u32) -> usize {
        let slot = slot_of(name);
        match self.places.get(slot) {
            Some(place) if *place > 0 => *place as usize - 1,
            _ => self.enter(name, slot),
        }
    }

    fn enter(&mut self, name: u32, slot: usize) -> usize {
        if self.places.len() <= slot {
            self.places.resize(slot + 1, 0);
        }
        self.entries.push((name, Interface::new()));
        self.tallies.push(Tally::default());
        self.places[slot] = self.entries.len() as u32;
        self.entries.len() - 1
    }

    /// Puts back the tally of an ENI that was at hand; there may be none yet.
    pub(super) fn put(&mut self, place: usize, tally: Tally) {
        if let Some(of) = self.tallies.get_mut(place) {
            *of = tally;
        }
    }

    /// Goes on to another hour in the tally of an ENI.
    pub(super) fn turn_hour(&mut self, place: usize, tally: &mut Tally, hour_s: u32) {
        Self::close(tally, &mut self.entries[place].1);
        tally.hour_s = hour_s;
    }

    fn close(tally: &mut Tally, entry: &mut Interface) {
        if tally.records > 0 {
            entry.hours.at(i64::from(tally.hour_s)).records += u64::from(tally.records);
            tally.records = 0;
        }
        entry.longest_record_s = entry.longest_record_s.max(tally.longest_record_s);
        entry.translates |= tally.translates;
    }

    /// Writes all tallies to their ENIs.
    pub(super) fn close_all(&mut self) {
        for (tally, (_, entry)) in self.tallies.iter_mut().zip(&mut self.entries) {
            Self::close(tally, entry);
        }
    }

    /// Merges another object's ENIs in; both have their tallies closed.
    pub(super) fn merge(&mut self, other: Interfaces) {
        for (name, interface) in other.entries {
            let known = self.entries.len();
            let place = self.place(name);
            if place < known {
                self.entries[place].1.merge(&interface);
            } else {
                self.entries[place].1 = interface;
            }
        }
    }

    /// Tells whether the entry stands for records that name no ENI.
    pub(super) fn is_nameless(name: u32) -> bool {
        name == NONE
    }
}

/// Which ENIs the objects that are part of a unit describe, by the slot of their name.
///
/// An object need not describe an ENI that one before it does, with all fields that it has itself: of two objects that tell
/// a field the first counts, so what it would tell makes no difference. The first object that has an ENI and a field always
/// tells it, whichever objects were read before.
#[derive(Clone, Debug, Default)]
pub(super) struct Described(Vec<Option<Describer>>);

#[derive(Clone, Copy, Debug)]
struct Describer {
    /// Its place among the unit's objects.
    object: u32,
    /// The describing fields that it has, one a bit.
    fields: u8,
    /// It leaves the ENI's records unsettled.
    unsettled: bool,
}

impl Described {
    /// Adds the ENIs of an object that has `fields`.
    pub(super) fn add(&mut self, object: u32, fields: u8, interfaces: &Interfaces) {
        self.0.resize(self.0.len().max(interfaces.places.len()), None);
        for ((name, _), tally) in interfaces.entries.iter().zip(&interfaces.tallies).filter(|(_, of)| of.described) {
            let known = &mut self.0[slot_of(*name)];
            if known.is_none_or(|known| {
                if known.fields == fields { object < known.object } else { known.fields & !fields == 0 }
            }) {
                *known = Some(Describer { object, fields, unsettled: tally.unsettled });
            }
        }
    }

    /// Tells whether the records of an ENI stay unsettled; `None` when the object at this place, which has `fields`, is to
    /// describe it.
    pub(super) fn of(&self, name: u32, object: u32, fields: u8) -> Option<bool> {
        let known = self.0.get(slot_of(name)).copied().flatten();
        known.filter(|known| known.object < object && fields & !known.fields == 0).map(|known| known.unsettled)
    }
}

/// Slot of an ENI's name; the first is for records without an ENI.
fn slot_of(name: u32) -> usize {
    name.wrapping_add(1) as usize
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
