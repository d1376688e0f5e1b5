//! What a unit knows of each ENI: whose it is, how long its windows are, whether it only forwards traffic, and where
//! its log has gaps.

use super::packed::is_some;
use flow::Address;
use flow::time::HOUR_S;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use scan::NONE;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Longest record, in seconds, of a 60-second aggregation interval.
const SHORT_WINDOW_LIMIT_S: u16 = 65;

/// Records of one ENI in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HourCoverage {
    pub(crate) records: u64,
    pub(crate) nodata: u32,
    pub(crate) skipdata: u32,
    /// Seconds of the windows for which AWS reports lost records.
    pub(crate) skipdata_s: u32,
    /// The minutes of the hour that such windows touch, one per bit.
    pub(crate) skipdata_minutes: u64,
}

/// A text of an ENI, and the object that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstValue {
    /// Number of the text in the interner; [`NONE`] where the log does not have it.
    pub(crate) text: u32,
    /// Index of the object among the unit's objects; [`NO_OBJECT`] where no object has the field.
    object: u32,
}

/// Sentinel: no object.
const NO_OBJECT: u32 = u32::MAX;

impl FirstValue {
    pub(crate) fn new(text: u32, object: u32) -> Self {
        Self { text, object }
    }

    /// Keeps the value of the first object, whichever was read first.
    pub(super) fn merge(&mut self, other: Self) {
        if other.object < self.object {
            *self = other;
        }
    }
}

impl Default for FirstValue {
    fn default() -> Self {
        Self { text: NONE, object: NO_OBJECT }
    }
}

/// The texts that describe an ENI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceTexts {
    pub(crate) account: FirstValue,
    pub(crate) instance: FirstValue,
    pub(crate) vpc: FirstValue,
    pub(crate) subnet: FirstValue,
    pub(crate) kind: FirstValue,
    pub(crate) region: FirstValue,
}

impl InterfaceTexts {
    pub(super) fn merge(&mut self, other: &Self) {
        self.account.merge(other.account);
        self.instance.merge(other.instance);
        self.vpc.merge(other.vpc);
        self.subnet.merge(other.subnet);
        self.kind.merge(other.kind);
        self.region.merge(other.region);
    }
}

/// One ENI, as its records describe it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interface {
    pub(crate) texts: InterfaceTexts,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(crate) translates: bool,
    /// In a log without packet-level addresses, some record has a private IPv4 address on the ENI's own side.
    pub(crate) has_private_address: bool,
    /// The ENI's own addresses, by code, in records whose packets have another address on its side.
    pub(crate) carrier_addresses: HashSet<u32, FixedState>,
    /// Some of its records are already filed under the host that they name, since nothing suggested a gateway.
    pub(crate) resolved: bool,
    pub(crate) longest_record_s: u16,
    /// How many records named each address (by code), where the log has no direction.
    pub(crate) votes: HashMap<u32, u32, FixedState>,
    pub(crate) hours: CoverageHours,
}

/// Coverage by hour, in seconds since 1970.
///
/// Nearly every object has records of one hour only, and a unit may have thousands of objects with thousands of ENIs
/// each. So the first hour needs no allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoverageHours {
    first: Option<(i64, HourCoverage)>,
    others: BTreeMap<i64, HourCoverage>,
}

impl CoverageHours {
    /// Returns the coverage of an hour, to be added to.
    #[inline]
    pub(crate) fn at(&mut self, hour_s: i64) -> &mut HourCoverage {
        let (first_s, first) = self.first.get_or_insert((hour_s, HourCoverage::default()));
        if *first_s == hour_s { first } else { self.others.entry(hour_s).or_default() }
    }

    /// Records a window of `duration_s` seconds from `start_s` on in which AWS lost records. The window may run into
    /// the next hour, but it does not create a `coverage` row for that hour by itself.
    pub(crate) fn lose(&mut self, start_s: i64, duration_s: u32) {
        let minutes = start_s.div_euclid(60)..(start_s + i64::from(duration_s)).div_euclid(60) + 1;
        for minute in minutes.take(60) {
            self.at(minute.div_euclid(60) * HOUR_S).skipdata_minutes |= 1 << minute.rem_euclid(60);
        }
    }

    /// Returns the hours so far, sorted.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (i64, HourCoverage)> + '_ {
        let first_s = self.first.map_or(i64::MIN, |(hour_s, _)| hour_s);
        let others =
            |range: (Bound<i64>, Bound<i64>)| self.others.range(range).map(|(hour_s, coverage)| (*hour_s, *coverage));
        others((Bound::Unbounded, Bound::Excluded(first_s)))
            .chain(self.first)
            .chain(others((Bound::Excluded(first_s), Bound::Unbounded)))
    }

    pub(super) fn merge(&mut self, other: &CoverageHours) {
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

/// Returns whether an `interface_type` is one that only forwards traffic.
pub(crate) fn is_gateway(kind: &str) -> bool {
    kind.contains("nat_gateway") || kind.contains("transit_gateway") || kind.contains("load_balancer")
}

/// An IPv6 network of 56 bits, the size that AWS gives a VPC. Hosts have public IPv6 addresses, so no list of internal
/// networks can recognise them; but the addresses of neighbouring ENIs lie in the same network.
pub(crate) type HomeNetwork = u128;

/// Length of a [`HomeNetwork`]'s prefix.
pub(crate) const HOME_BITS: u32 = 56;

/// Returns the network of an IPv6 address.
pub(crate) fn home_network(address: Address) -> HomeNetwork {
    address.bits() >> (u128::BITS - HOME_BITS)
}

impl Interface {
    /// Returns whether `instance_id` is logged and is `-`: the ENI is requester-managed.
    pub(crate) fn has_no_instance(&self) -> bool {
        self.texts.instance.object != NO_OBJECT && !is_some(self.texts.instance.text)
    }

    /// Returns the aggregation interval in seconds, 60 or 600, judged by the longest record.
    pub(crate) fn window_s(&self) -> u32 {
        if self.longest_record_s <= SHORT_WINDOW_LIMIT_S { 60 } else { 600 }
    }

    /// Returns whether the ENI only forwards traffic. `kind` is its `interface_type` where logged (version 11).
    /// Otherwise a requester-managed ENI whose packet-level addresses differ is a NAT or transit gateway.
    pub(crate) fn is_transit(&self, kind: Option<&str>) -> bool {
        match kind {
            Some(kind) => is_gateway(kind),
            None => self.has_no_instance() && self.translates,
        }
    }

    /// Returns the code of the ENI's own IPv4 or IPv6 address: the address that most records name. Among equals, one
    /// that is `ours` comes first, then the lowest.
    ///
    /// An ENI that talked to a single remote names both addresses equally often.
    pub(crate) fn own_address(
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

    /// Returns the network of the ENI's own IPv6 address, where its records leave no doubt about it.
    pub(crate) fn home(&self, address_of: impl Fn(u32) -> Address) -> Option<HomeNetwork> {
        let addresses = self.votes.iter().map(|(code, votes)| (*votes, address_of(*code)));
        let mut votes: Vec<(u32, Address)> = addresses.filter(|(_, address)| !address.is_v4()).collect();
        votes.sort_unstable_by(|a, b| b.cmp(a));
        match votes[..] {
            [(most, own), (next, _), ..] if most > next => Some(home_network(own)),
            _ => None,
        }
    }

    /// Merges what another object knows of the same ENI. The order of objects does not matter.
    pub(super) fn merge(&mut self, other: &Interface) {
        self.texts.merge(&other.texts);
        self.translates |= other.translates;
        self.has_private_address |= other.has_private_address;
        self.carrier_addresses.extend(&other.carrier_addresses);
        self.resolved |= other.resolved;
        self.longest_record_s = self.longest_record_s.max(other.longest_record_s);
        for (address, votes) in &other.votes {
            *self.votes.entry(*address).or_default() += votes;
        }
        self.hours.merge(&other.hours);
    }
}
