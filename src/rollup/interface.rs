//! What a unit learns of each ENI: whose it is, how long its windows are, whether it only passes traffic on, and where
//! its log has holes.

use super::packed::is_some;
use crate::flow::Address;
use crate::flow::time::HOUR_S;
use crate::scan::NONE;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::collections::BTreeMap;

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
}

/// Numbers of an ENI's texts in the text book; [`NONE`] where the log does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InterfaceTexts {
    pub(super) account: u32,
    pub(super) instance: u32,
    pub(super) vpc: u32,
    pub(super) subnet: u32,
    pub(super) kind: u32,
    pub(super) region: u32,
}

/// One ENI, by what its records say.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) texts: InterfaceTexts,
    /// The file has `instance_id`, and it was `-`: a requester manages the ENI.
    pub(super) no_instance: bool,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(super) translates: bool,
    pub(super) longest_record_s: u16,
    /// How many records named each address (by number), where the log does not tell the direction.
    pub(super) votes: HashMap<u32, u32, FixedState>,
    /// By hour, in seconds since 1970.
    pub(super) hours: BTreeMap<i64, HourCoverage>,
}

impl Interface {
    pub(super) fn new(texts: InterfaceTexts, no_instance: bool) -> Self {
        Self {
            texts,
            no_instance,
            translates: false,
            longest_record_s: 0,
            votes: HashMap::default(),
            hours: BTreeMap::new(),
        }
    }

    /// The aggregation interval in seconds, 60 or 600, by the longest record seen.
    pub(super) fn window_s(&self) -> u32 {
        if self.longest_record_s <= SHORT_WINDOW_LIMIT_S { 60 } else { 600 }
    }

    /// Tells whether the ENI only passes traffic on. `kind` is its `interface_type` where logged (version 11);
    /// otherwise a requester-managed ENI whose packet-level addresses differ is a NAT or transit gateway.
    pub(super) fn is_transit(&self, kind: Option<&str>) -> bool {
        match kind {
            Some(kind) => {
                kind.contains("nat_gateway") || kind.contains("transit_gateway") || kind.contains("load_balancer")
            }
            None => self.no_instance && self.translates,
        }
    }

    /// The ENI's own address: the one that most records name; the lowest of equals.
    pub(super) fn own_address(&self, addresses: &[Address]) -> Option<u32> {
        let best = self.votes.iter().max_by_key(|(number, votes)| {
            (**votes, std::cmp::Reverse(addresses.get(**number as usize).copied().unwrap_or_default()))
        });
        best.map(|(number, _)| *number)
    }

    /// Adds what another object says of the same ENI. Texts that differ are settled by their content, not by order.
    pub(super) fn merge(&mut self, other: &Interface, texts: &[String]) {
        let settle = |mine: &mut u32, theirs: u32| {
            let text = |number: u32| texts.get(number as usize);
            if is_some(theirs) && (!is_some(*mine) || text(theirs) > text(*mine)) {
                *mine = theirs;
            }
        };
        settle(&mut self.texts.account, other.texts.account);
        settle(&mut self.texts.instance, other.texts.instance);
        settle(&mut self.texts.vpc, other.texts.vpc);
        settle(&mut self.texts.subnet, other.texts.subnet);
        settle(&mut self.texts.kind, other.texts.kind);
        settle(&mut self.texts.region, other.texts.region);
        self.no_instance &= other.no_instance;
        self.translates |= other.translates;
        self.longest_record_s = self.longest_record_s.max(other.longest_record_s);
        for (address, votes) in &other.votes {
            *self.votes.entry(*address).or_default() += votes;
        }
        for (hour, coverage) in &other.hours {
            let mine = self.hours.entry(*hour).or_default();
            mine.records += coverage.records;
            mine.nodata += coverage.nodata;
            mine.skipdata += coverage.skipdata;
            mine.skipdata_s = (mine.skipdata_s + coverage.skipdata_s).min(HOUR_S as u32);
        }
    }
}

/// The ENIs of one object or unit, by the number of their name in the text book.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// Position in `entries` by text number; the last slot is for records without an ENI.
    positions: HashMap<u32, u32, FixedState>,
    pub(super) entries: Vec<(u32, Interface)>,
}

impl Interfaces {
    /// Returns the position of an ENI ([`NONE`] is one of its own), making it when it is new.
    pub(super) fn position(&mut self, name: u32, make: impl FnOnce() -> Interface) -> u32 {
        let next = self.entries.len() as u32;
        let position = *self.positions.entry(name).or_insert(next);
        if position == next {
            self.entries.push((name, make()));
        }
        position
    }

    /// Merges another object's ENIs in; returns where each of them stands here.
    pub(super) fn merge(&mut self, other: &Interfaces, texts: &[String]) -> Vec<u32> {
        other
            .entries
            .iter()
            .map(|(name, interface)| {
                let mut new = false;
                let position = self.position(*name, || {
                    new = true;
                    interface.clone()
                });
                if !new {
                    self.entries[position as usize].1.merge(interface, texts);
                }
                position
            })
            .collect()
    }

    /// Tells whether the entry stands for records that name no ENI.
    pub(super) fn is_nameless(name: u32) -> bool {
        name == NONE
    }
}
