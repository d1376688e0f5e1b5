//! Merges the `pair_hours` of many units by key: a parallel k-way merge, free of order.

use super::pair_hours::PairHours;
use crate::flow::Address;
use crate::flow::codes::Role;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

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
    /// Position of each row's owner in [`Merger::owners`].
    owners: Vec<u32>,
}

impl Table<'_> {
    fn key(&self, row: usize) -> PairKey {
        PairKey {
            host: self.hours.host(row),
            remote: self.hours.remote(row),
            protocol: self.hours.protocol(row),
            port: self.hours.port(row),
            role: self.hours.role(row),
            owner: self.owners[row],
        }
    }

    /// First row whose host is not below `host`.
    fn lower_bound(&self, host: Address) -> usize {
        let (mut low, mut high) = (0, self.hours.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.hours.host(middle) < host { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl<'a> Merger<'a> {
    /// Prepares the merge of sorted tables.
    pub fn new(tables: &'a [PairHours]) -> Self {
        // Owners by dictionary keys, table by table; the keys change seldom from row to row.
        let keyed: Vec<OwnerNumbers> = tables.par_iter().map(owner_numbers).collect();
        let named = |table: &PairHours, keys: &(i32, i32)| {
            let (account, region) = table.owner_of_keys(*keys);
            (account.to_owned(), region.to_owned())
        };
        let mut owners: Vec<(String, String)> = Vec::new();
        for (table, (keys, _)) in tables.iter().zip(&keyed) {
            owners.extend(keys.iter().map(|keys| named(table, keys)));
        }
        owners.sort_unstable();
        owners.dedup();
        let tables = tables
            .iter()
            .zip(keyed)
            .map(|(hours, (keys, mut of_row))| {
                let position: Vec<u32> =
                    keys.iter().map(|keys| owners.binary_search(&named(hours, keys)).unwrap_or(0) as u32).collect();
                of_row.iter_mut().for_each(|owner| *owner = position[*owner as usize]);
                Table { hours, owners: of_row }
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
            sample.extend((0..table.hours.len()).step_by(step).map(|row| table.hours.host(row)));
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
        let mut group: Vec<(u32, RowAt)> = Vec::new();
        let mut rows: Vec<RowAt> = Vec::new();
        let is_transit = |at: &RowAt| self.tables[at.table].hours.is_transit(at.row);
        let mut flush = |key: PairKey, group: &mut Vec<(u32, RowAt)>| {
            if group.iter().any(|(_, at)| !is_transit(at)) {
                group.retain(|(_, at)| !is_transit(at));
            }
            for pair in group.chunk_by(|a, b| a.0 == b.0) {
                rows.clear();
                rows.extend(pair.iter().map(|(_, at)| *at));
                rows.sort_unstable_by_key(|at| (self.tables[at.table].hours.hour_s(at.row), *at));
                visitor(&PairKey { owner: pair[0].0, ..key }, &rows);
            }
            group.clear();
        };
        let mut current: Option<PairKey> = None;
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((key, at, row)) = *top;
            let pair = PairKey { owner: 0, ..key };
            if let Some(last) = current.filter(|last| *last != pair) {
                flush(last, &mut group);
            }
            current = Some(pair);
            group.push((key.owner, RowAt { table: at, row }));
            // Rows of one table stand together, so the run is taken at once.
            let mut next = row + 1;
            loop {
                if next >= ends[at] {
                    PeekMut::pop(top);
                    break;
                }
                let next_key = self.tables[at].key(next);
                if next_key != key {
                    *top = Reverse((next_key, at, next));
                    break;
                }
                group.push((key.owner, RowAt { table: at, row: next }));
                next += 1;
            }
        }
        if let Some(last) = current {
            flush(last, &mut group);
        }
    }

    /// ENI and AWS service of a row: what settles which of several rows names a pair.
    pub fn names(&self, at: RowAt) -> (Option<&'a str>, Option<&'a str>) {
        let table = self.table(at);
        (table.interface(at.row), table.service(at.row))
    }

    /// The table a row stands in.
    pub fn table(&self, at: RowAt) -> &'a PairHours {
        self.tables[at.table].hours
    }
}

/// Dictionary keys of each owner of a table, and each row's position among them.
type OwnerNumbers = (Vec<(i32, i32)>, Vec<u32>);

/// Numbers the owners of a table's rows: the dictionary keys of each owner, and each row's position among them.
fn owner_numbers(table: &PairHours) -> OwnerNumbers {
    let mut numbers: HashMap<(i32, i32), u32, FixedState> = HashMap::default();
    let mut keys = Vec::new();
    let mut last = None;
    let of_row = (0..table.len())
        .map(|row| {
            let key = table.owner_keys(row);
            if let Some((last_key, number)) = last
                && last_key == key
            {
                return number;
            }
            let number = *numbers.entry(key).or_insert_with(|| {
                keys.push(key);
                (keys.len() - 1) as u32
            });
            last = Some((key, number));
            number
        })
        .collect();
    (keys, of_row)
}
