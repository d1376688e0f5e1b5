//! The merge of many tables, part by part.

use super::fix_direction::fix_direction;
use super::forwarder_codes::ForwarderCodes;
use super::merged_part::{MergedPart, MergedTable, NamesAt};
use super::outer_legs::OuterLegs;
use crate::coverage::Forwarders;
use crate::options::IsInternal;
use crate::pair_hours::PairHours;
use crate::pair_hours::lookup::code_in;
use crate::pair_hours::stored_part::StoredPart;
use crate::unit::parts::PARTS;
use flow::Address;
use hashbrown::HashSet;
use memory::{SpillError, lock};
use scan::address_of;
use std::ops::Range;
use std::sync::Mutex;

/// Tables to be merged, and the owners and addresses that they share.
#[derive(Debug)]
pub struct Merger<'a> {
    tables: Vec<MergedTable<'a>>,
    /// For each part, those of all tables, until they are taken.
    parts: Vec<Mutex<Vec<StoredPart>>>,
    rows: usize,
    owners: Vec<(String, String)>,
    /// Addresses that are not their own code, sorted.
    addresses: Vec<Address>,
    outer_legs: OuterLegs,
}

/// Returns the distinct values, sorted.
fn sorted<T: Ord + Clone>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn indices_of<T: Ord>(of: &[T], among: &[T]) -> Vec<u32> {
    of.iter().map(|value| among.binary_search(value).unwrap_or(0) as u32).collect()
}

impl<'a> Merger<'a> {
    /// Prepares the merge. The rows of the tables move to the merger.
    pub fn new(tables: &'a mut [PairHours]) -> Self {
        let rows = tables.iter().map(PairHours::len).sum();
        let mut parts: Vec<Vec<StoredPart>> = (0..PARTS).map(|_| Vec::with_capacity(tables.len())).collect();
        for table in &mut *tables {
            for (part, stored) in parts.iter_mut().zip(&mut table.parts) {
                part.push(std::mem::take(stored));
            }
        }
        let tables = &*tables;
        let owners = sorted(tables.iter().flat_map(|table| table.lookup.owners.iter().cloned()));
        let addresses = sorted(tables.iter().flat_map(|table| table.lookup.addresses.iter().copied()));
        let table = |hours: &'a PairHours| MergedTable {
            lookup: &hours.lookup,
            owners: indices_of(&hours.lookup.owners, &owners),
            addresses: indices_of(&hours.lookup.addresses, &addresses),
        };
        let tables = tables.iter().map(table).collect();
        Self {
            tables,
            parts: parts.into_iter().map(Mutex::new).collect(),
            rows,
            owners,
            addresses,
            outer_legs: OuterLegs::default(),
        }
    }

    /// Leaves out the outer legs of exchanges that `forwarders` forward. They lie between a forwarder and a remote that
    /// is not `is_internal`.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn without_outer_legs(
        mut self,
        forwarders: &Forwarders,
        is_internal: &IsInternal<'_>,
    ) -> Result<Self, SpillError> {
        if forwarders.is_empty() {
            return Ok(self);
        }
        let mut parts = vec![false; PARTS];
        let mut hosts = HashSet::default();
        for (part, code) in forwarders.addresses.iter().filter_map(|address| code_in(*address, &self.addresses)) {
            parts[part] = true;
            hosts.insert(code);
        }
        let of_table = |table: &MergedTable<'_>| {
            table.lookup.names.iter().map(|name| forwarders.interfaces.contains(name)).collect()
        };
        let interfaces = self.tables.iter().map(of_table).collect();
        let index_of = |table: &MergedTable<'_>, name: &String| {
            table.lookup.names.binary_search(name).ok().map(|index| index as u32)
        };
        let alone = |name: &String| self.tables.iter().map(|table| index_of(table, name)).collect();
        let alone = forwarders.alone.iter().map(alone).collect();
        let codes = ForwarderCodes { hosts, parts, interfaces, alone };
        let address_of = |code: u32| self.address(code);
        self.outer_legs = OuterLegs::find(&self.tables, &self.parts, codes, &address_of, is_internal)?;
        Ok(self)
    }

    /// Returns the accounts and regions, sorted.
    pub fn owners(&self) -> &[(String, String)] {
        &self.owners
    }

    /// Returns the address of a code.
    pub fn address(&self, code: u32) -> Address {
        address_of(code, &self.addresses)
    }

    /// Returns the number of rows of all tables.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Divides the parts of hosts into shards of about `rows` rows. Their number depends on the tables only.
    pub fn shards(&self, rows: usize) -> Vec<Range<usize>> {
        let count = (self.rows() / rows.max(1)).clamp(1, PARTS).next_power_of_two();
        (0..count).map(|shard| shard * PARTS / count..(shard + 1) * PARTS / count).collect()
    }

    /// Takes the rows of one part of all tables into memory. They are freed with the returned part, to make room for
    /// what is derived from them; the merger has no rows of that part any more. The rows of `hours_s` agree on who
    /// opened their connections.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn take_part(&self, part: usize, hours_s: &Range<i64>) -> Result<MergedPart<'_>, SpillError> {
        let stored = std::mem::take(&mut *lock(&self.parts[part]));
        let mut parts = stored.iter().map(StoredPart::load).collect::<Result<Vec<_>, _>>()?;
        drop(stored);
        self.outer_legs.leave_out(part, &mut parts);
        let mut merged = MergedPart { tables: &self.tables, parts };
        fix_direction(&mut merged, hours_s);
        Ok(merged)
    }

    /// Returns the codes of the hosts of a part that their own ENI logged. A code may repeat.
    pub(crate) fn own_hosts(&self, part: usize) -> Vec<u32> {
        let of_table = |(table, stored): (&MergedTable<'a>, &StoredPart)| {
            stored.own_hosts().iter().map(|host| table.code(*host)).collect::<Vec<u32>>()
        };
        self.tables.iter().zip(&*lock(&self.parts[part])).flat_map(of_table).collect()
    }

    /// Returns the names of ENI and AWS service. Where several rows could name a pair, names decide, since indices
    /// differ from table to table.
    pub fn names(&self, at: NamesAt) -> (Option<&'a str>, Option<&'a str>) {
        let lookup = self.tables[at.table as usize].lookup;
        let interface = lookup.names.get(at.interface as usize).map(String::as_str);
        (interface, lookup.services.get(usize::from(at.service)).map(String::as_str))
    }
}
