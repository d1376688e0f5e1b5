//! Merges the `pair_hours` of many units by key: a parallel k-way merge, free of order.

use super::pair_hours::PairHours;
use crate::flow::Address;
use crate::flow::codes::Role;
use arrow::array::AsArray;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What names a pair, in the order of the tables; the owner comes last so that all views of a pair stand together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PairKey {
    /// The monitored side.
    pub host: Address,
    /// The other side.
    pub remote: Address,
    /// IANA protocol number.
    pub protocol: u8,
    /// Port of the service.
    pub port: u16,
    /// Role of the host.
    pub role: Role,
    /// Account and region, as a position in [`Merger::owners`].
    pub owner: u32,
}

/// A row of one of the merged tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowAt {
    /// Position of the table.
    pub table: usize,
    /// Row in the table.
    pub row: usize,
}

/// Tables to be merged, with the owners they share.
#[derive(Debug)]
pub struct Merger<'a> {
    tables: Vec<Table<'a>>,
    owners: Vec<(String, String)>,
}

#[derive(Debug)]
struct Table<'a> {
    hours: &'a PairHours,
    hosts: &'a arrow::array::FixedSizeBinaryArray,
    remotes: &'a arrow::array::FixedSizeBinaryArray,
    /// Owner positions by the dictionary keys of account and region.
    owners: BTreeMap<(i32, i32), u32>,
}

impl Table<'_> {
    fn host(&self, row: usize) -> Address {
        Address::from_bytes(self.hosts.value(row).try_into().unwrap_or_default())
    }

    fn key(&self, row: usize) -> PairKey {
        PairKey {
            host: self.host(row),
            remote: Address::from_bytes(self.remotes.value(row).try_into().unwrap_or_default()),
            protocol: self.hours.protocols().value(row),
            port: self.hours.ports().value(row),
            role: self.hours.role(row),
            owner: self.owners.get(&self.hours.owner_keys(row)).copied().unwrap_or(0),
        }
    }

    /// First row whose host is not below `host`.
    fn lower_bound(&self, host: Address) -> usize {
        let (mut low, mut high) = (0, self.hours.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.host(middle) < host { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl<'a> Merger<'a> {
    /// Prepares the merge of sorted tables.
    pub fn new(tables: &'a [PairHours]) -> Self {
        let mut owners: Vec<(String, String)> = Vec::new();
        let mut keyed: Vec<BTreeMap<(i32, i32), (String, String)>> = Vec::new();
        for table in tables {
            let mut keys = BTreeMap::new();
            for row in 0..table.len() {
                let key = table.owner_keys(row);
                keys.entry(key).or_insert_with(|| {
                    let (account, region) = table.owner(row);
                    (account.to_owned(), region.to_owned())
                });
            }
            owners.extend(keys.values().cloned());
            keyed.push(keys);
        }
        owners.sort_unstable();
        owners.dedup();
        let position = |owner: &(String, String)| owners.binary_search(owner).unwrap_or(0) as u32;
        let tables = tables
            .iter()
            .zip(keyed)
            .map(|(hours, keys)| Table {
                hours,
                hosts: hours.batch()["host"].as_fixed_size_binary(),
                remotes: hours.batch()["remote"].as_fixed_size_binary(),
                owners: keys.iter().map(|(key, owner)| (*key, position(owner))).collect(),
            })
            .collect();
        Self { tables, owners }
    }

    /// Accounts and regions, sorted.
    pub fn owners(&self) -> &[(String, String)] {
        &self.owners
    }

    /// Cuts the space of hosts into about `count` ranges of equal work: each begins at its host, the last has no end.
    pub fn shards(&self, count: usize) -> Vec<(Address, Option<Address>)> {
        let mut sample: Vec<Address> = Vec::new();
        for table in &self.tables {
            let step = (table.hours.len() / (count * 16).max(1)).max(1);
            sample.extend((0..table.hours.len()).step_by(step).map(|row| table.host(row)));
        }
        sample.sort_unstable();
        let mut begins: Vec<Address> = vec![Address::from_bits(0)];
        begins.extend((1..count).filter_map(|at| sample.get(at * sample.len() / count).copied()));
        begins.sort_unstable();
        begins.dedup();
        let ends: Vec<Option<Address>> = begins.iter().skip(1).map(|host| Some(*host)).chain([None]).collect();
        begins.into_iter().zip(ends).collect()
    }

    /// Visits every pair of a shard in order of key, with its rows sorted by hour and table.
    ///
    /// Where a host's own ENI saw a pair, the rows of gateways that saw it too are left out, whoever owns them: no
    /// traffic counts twice.
    pub fn visit(&self, shard: (Address, Option<Address>), mut visitor: impl FnMut(&PairKey, &[RowAt])) {
        let mut heap = BinaryHeap::new();
        let mut ends = Vec::with_capacity(self.tables.len());
        for (at, table) in self.tables.iter().enumerate() {
            let begin = table.lower_bound(shard.0);
            let end = shard.1.map_or(table.hours.len(), |host| table.lower_bound(host));
            ends.push(end);
            if begin < end {
                heap.push(Reverse((table.key(begin), at, begin)));
            }
        }
        let mut group: Vec<(PairKey, RowAt)> = Vec::new();
        let mut rows: Vec<RowAt> = Vec::new();
        let mut flush = |group: &mut Vec<(PairKey, RowAt)>| {
            let own = group.iter().any(|(_, at)| !self.tables[at.table].hours.is_transit(at.row));
            if own {
                group.retain(|(_, at)| !self.tables[at.table].hours.is_transit(at.row));
            }
            for pair in group.chunk_by(|a, b| a.0 == b.0) {
                rows.clear();
                rows.extend(pair.iter().map(|(_, at)| *at));
                rows.sort_unstable_by_key(|at| (self.tables[at.table].hours.hour_s(at.row), *at));
                visitor(&pair[0].0, &rows);
            }
            group.clear();
        };
        while let Some(Reverse((key, at, row))) = heap.pop() {
            let same = group.first().is_none_or(|(first, _)| PairKey { owner: 0, ..*first } == PairKey { owner: 0, ..key });
            if !same {
                flush(&mut group);
            }
            group.push((key, RowAt { table: at, row }));
            // Rows of one table stand together, so the run is taken at once.
            let mut next = row + 1;
            while next < ends[at] {
                let next_key = self.tables[at].key(next);
                if next_key != key {
                    heap.push(Reverse((next_key, at, next)));
                    break;
                }
                group.push((key, RowAt { table: at, row: next }));
                next += 1;
            }
        }
        flush(&mut group);
    }

    /// The table a row stands in.
    pub fn table(&self, at: RowAt) -> &'a PairHours {
        self.tables[at.table].hours
    }
}
