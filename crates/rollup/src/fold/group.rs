//! Groups the records of one part by pair: one hash per record, then a counting sort of sort keys.

use crate::pair_hours::row::Vantage;
use crate::unit::packed::{CARRIED, LIST_RECORDS, PackedFlow, TRANSIT};

/// Returns how the record's ENI came to see its host, once the host is found.
pub(crate) fn vantage_of(flow: &PackedFlow) -> Vantage {
    match (flow.is(TRANSIT), flow.is(CARRIED)) {
        (true, _) => Vantage::Transit,
        (false, true) => Vantage::Carried,
        (false, false) => Vantage::Own,
    }
}

/// What the records of one group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    /// Code of the host, then of the remote.
    pub(crate) peers: u64,
    /// Protocol, then owner, then vantage.
    pub(crate) rest: u64,
}

impl GroupKey {
    pub(crate) fn new(flow: &PackedFlow, owner: u32) -> Self {
        let rest = u64::from(flow.protocol) << 34 | u64::from(owner) << 2 | vantage_of(flow) as u64;
        Self { peers: u64::from(flow.host) << 32 | u64::from(flow.remote), rest }
    }

    pub(crate) fn vantage(&self) -> Vantage {
        Vantage::from_code((self.rest & 3) as u8)
    }

    pub(crate) fn owner(&self) -> u32 {
        (self.rest >> 2) as u32
    }

    /// Returns whether two groups have the same host, remote and protocol, so that their rows are adjacent.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.peers == other.peers && self.rest >> 34 == other.rest >> 34
    }

    fn hash(&self) -> u64 {
        let mixed = (self.peers ^ self.rest.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

/// Numbers groups from 0 in order of arrival: an open-addressed table of numbers, and the list of keys.
#[derive(Debug, Default)]
struct GroupNumbers {
    /// Number plus one; 0 is free. A power of two long, at most half full.
    slots: Vec<u32>,
    keys: Vec<GroupKey>,
    counts: Vec<u32>,
}

impl GroupNumbers {
    /// Forgets all groups and makes room for about `groups` of them.
    fn reset(&mut self, groups: usize) {
        self.slots.clear();
        self.slots.resize((groups * 2).next_power_of_two().max(16), 0);
        self.keys.clear();
        self.counts.clear();
    }

    /// Counts one record of a group and returns the group's number.
    #[inline]
    fn count(&mut self, key: GroupKey) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = (key.hash() >> 32) as usize & mask;
        loop {
            let number = self.slots[slot];
            if number == 0 {
                break;
            }
            let number = number - 1;
            if self.keys[number as usize] == key {
                self.counts[number as usize] += 1;
                return number;
            }
            slot = (slot + 1) & mask;
        }
        let number = self.keys.len() as u32;
        self.slots[slot] = number + 1;
        self.keys.push(key);
        self.counts.push(1);
        if self.keys.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots.clear();
        self.slots.resize(mask + 1, 0);
        for (number, key) in self.keys.iter().enumerate() {
            let mut slot = (key.hash() >> 32) as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number as u32 + 1;
        }
    }
}

/// Bits of a record's index within its list; the bits above are the number of the list.
const LIST_BITS: u32 = LIST_RECORDS.trailing_zeros();

const _: () = assert!(LIST_RECORDS.is_power_of_two());

/// The records of one part, by index.
pub(crate) struct IndexedRecords<'a>(Vec<&'a [PackedFlow]>);

impl<'a> IndexedRecords<'a> {
    pub(crate) fn new(lists: &'a [Vec<PackedFlow>]) -> Self {
        Self(lists.iter().flat_map(|list| list.chunks(LIST_RECORDS)).collect())
    }

    /// Returns the record at an index that [`Grouped::group`] assigned.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> &'a PackedFlow {
        &self.0[(index >> LIST_BITS) as usize][index as usize & (LIST_RECORDS - 1)]
    }
}

/// The records of one part by group, groups in order of their keys. The records stay where they are; only their sort
/// keys ([`PackedFlow::order`]) and indices are moved. The buffers are reused for part after part.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    /// Of each record the sort key, in the upper 96 bits, and the index, in the lower 32.
    pub(crate) records: Vec<u128>,
    /// Key and end of each group in `records`.
    pub(crate) groups: Vec<(GroupKey, usize)>,
    numbers: GroupNumbers,
    /// Number of each record's group.
    group_of: Vec<u32>,
    order: Vec<(GroupKey, u32)>,
    /// Where the next record of each group goes.
    next: Vec<usize>,
}

impl Grouped {
    /// Groups records by pair. `key` gets the number of the list and a record, which it may change, and returns the
    /// record's group.
    ///
    /// The records of a group come in any order.
    pub(crate) fn group(
        &mut self,
        lists: &mut [Vec<PackedFlow>],
        mut key: impl FnMut(usize, &mut PackedFlow) -> GroupKey,
    ) {
        let count = lists.iter().map(Vec::len).sum::<usize>();
        self.numbers.reset(count / 8);
        self.group_of.clear();
        self.group_of.reserve(count);
        for (at, list) in lists.iter_mut().enumerate() {
            for flow in list {
                let key = key(at, flow);
                self.group_of.push(self.numbers.count(key));
            }
        }
        self.order.clear();
        self.order.extend(self.numbers.keys.iter().copied().zip(0u32..));
        self.order.sort_unstable();
        self.next.clear();
        self.next.resize(self.order.len(), 0);
        self.groups.clear();
        let mut end = 0;
        for (key, number) in &self.order {
            self.next[*number as usize] = end;
            end += self.numbers.counts[*number as usize] as usize;
            self.groups.push((*key, end));
        }
        self.records.clear();
        self.records.resize(end, 0);
        let chunks = lists.iter().flat_map(|list| list.chunks(LIST_RECORDS)).zip(0u32..);
        let indexed = chunks.flat_map(|(chunk, at)| chunk.iter().zip(at << LIST_BITS..));
        for ((flow, index), number) in indexed.zip(&self.group_of) {
            let next = &mut self.next[*number as usize];
            self.records[*next] = flow.order() << u32::BITS | u128::from(index);
            *next += 1;
        }
    }

    /// Returns the bytes of memory that the buffers take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.records.capacity() * size_of::<u128>()
            + (self.group_of.capacity() + self.numbers.slots.capacity() + self.numbers.counts.capacity()) * 4
            + (self.order.capacity() + self.numbers.keys.capacity() + self.groups.capacity()) * 24
            + self.next.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn equals_a_map(peers in prop::collection::vec((0u32..9, 0u32..9, 0u8..3, any::<bool>()), 0..3_000), cut in 0usize..3_000) {
            let flows: Vec<PackedFlow> = peers
                .iter()
                .enumerate()
                .map(|(at, &(host, remote, protocol, transit))| PackedFlow {
                    host, remote, protocol, bits: if transit { TRANSIT } else { 0 }, start_s: at as u32, ..PackedFlow::default()
                })
                .collect();
            let (one, two) = flows.split_at(cut.min(flows.len()));
            let mut grouped = Grouped::default();
            // The earlier grouping must leave no trace.
            grouped.group(&mut [two.to_vec()], |_, flow| GroupKey::new(flow, 7));
            let mut lists = [one.to_vec(), two.to_vec()];
            grouped.group(&mut lists, |list, flow| {
                flow.service = list as u16;
                GroupKey::new(flow, u32::from(flow.remote == 3))
            });
            let indexed = IndexedRecords::new(&lists);
            let mut slow: BTreeMap<GroupKey, Vec<u32>> = BTreeMap::new();
            for flow in &flows {
                slow.entry(GroupKey::new(flow, u32::from(flow.remote == 3))).or_default().push(flow.start_s);
            }
            let mut begin = 0;
            let mut fast = BTreeMap::new();
            for (key, end) in &grouped.groups {
                let records = &grouped.records[begin..*end];
                prop_assert!(records.iter().all(|record| record >> 32 == indexed.get(*record as u32).order()));
                let mut starts: Vec<u32> = records.iter().map(|record| indexed.get(*record as u32).start_s).collect();
                starts.sort_unstable();
                fast.insert(*key, starts);
                begin = *end;
            }
            prop_assert_eq!(lists.iter().flatten().filter(|flow| flow.service == 0).count(), one.len());
            prop_assert!(grouped.groups.is_sorted());
            prop_assert_eq!(fast, slow);
        }
    }
}
