//! The rows of one part of all merged tables, visited pair by pair.

use crate::pair_hours::Hour;
use crate::pair_hours::lookup::LookupTables;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::row::{HourRow, PackedSegment, Vantage, key_of};
use flow::codes::Role;
use scan::FIRST_INTERNED;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// Identifies a pair. Host and remote are codes of [`super::Merger::address`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairKey {
    /// The monitored side.
    pub host: u32,
    /// The other side.
    pub remote: u32,
    /// Account and region, as an index into [`super::Merger::owners`].
    pub owner: u32,
    /// Port of the service.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Role of the host.
    pub role: Role,
}

/// A row of a part of one of the merged tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowAt {
    /// Index of the table.
    pub(super) table: u32,
    /// Index of the row in the table's part.
    pub(super) row: u32,
}

/// Where to find the names of a row. Names stay in memory when the row does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamesAt {
    pub(crate) table: u32,
    pub(crate) interface: u32,
    pub(crate) service: u16,
}

impl NamesAt {
    /// Returns whether both name the same ENI in the same table.
    pub(crate) fn same_interface(self, other: Self) -> bool {
        (self.table, self.interface) == (other.table, other.interface)
    }
}

#[derive(Debug)]
pub(crate) struct MergedTable<'a> {
    pub(super) lookup: &'a LookupTables,
    /// Index of each of the table's owners in the merger's.
    pub(super) owners: Vec<u32>,
    /// Index of each of the table's addresses in the merger's.
    pub(super) addresses: Vec<u32>,
}

impl MergedTable<'_> {
    pub(super) fn code(&self, code: u32) -> u32 {
        match code.checked_sub(FIRST_INTERNED) {
            None => code,
            Some(index) => FIRST_INTERNED + self.addresses.get(index as usize).copied().unwrap_or(0),
        }
    }

    /// Returns the key of one of the table's rows, in the merger's codes.
    pub(super) fn key(&self, row: &HourRow) -> u128 {
        let owner = self.owners.get(row.owner as usize).copied().unwrap_or(0);
        key_of(self.code(row.host), self.code(row.remote), row.protocol, row.port, row.role, owner)
    }
}

/// Which rows of a pair count.
struct Counted {
    vantage: Vantage,
    /// `None` for all owners; else the one that counts, and one that has the direction which the first lacks.
    owners: Option<(u32, Option<u32>)>,
}

/// Rows that are fetched into the cache together, few enough to fit with ease.
const FETCHED: usize = 64;

/// Larger lists of a thread are freed once a part was visited.
const MAX_KEPT_ENTRIES: usize = 1 << 18;

thread_local! {
    /// Keys and rows of the part at hand. The list of the last part is already mapped; fresh memory is not.
    static ENTRIES: RefCell<Vec<(u128, RowAt)>> = const { RefCell::new(Vec::new()) };
}

/// The rows of one part of all tables, in memory.
#[derive(Debug)]
pub struct MergedPart<'m> {
    pub(super) tables: &'m [MergedTable<'m>],
    /// In the order of the tables.
    pub(super) parts: Vec<Arc<HourPart>>,
}

impl MergedPart<'_> {
    /// Visits every pair of the part in order of key, with its rows sorted by hour and table.
    ///
    /// Where several ENIs saw a pair, only the rows of the best vantage count, of any owner; among forwarders of
    /// several owners those of the owner with most records, for each direction. So no traffic counts twice.
    pub fn visit(&self, mut visitor: impl FnMut(&PairKey, &[RowAt])) {
        let mut entries = ENTRIES.take();
        entries.clear();
        entries.reserve(self.parts.iter().map(|part| part.rows.len()).sum());
        for (at, (table, part)) in self.tables.iter().zip(&self.parts).enumerate() {
            let rows = part.rows.iter().enumerate();
            entries.extend(rows.map(|(row, hour)| (table.key(hour), RowAt { table: at as u32, row: row as u32 })));
        }
        // Each table is a sorted run, and a stable sort only merges such runs.
        entries.sort_by_key(|entry| entry.0);
        let mut rows: Vec<RowAt> = Vec::new();
        let (mut begun, mut fetched) = (0, 0);
        for views in entries.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
            if begun + views.len() > fetched {
                fetched = (begun + views.len()).max(begun + FETCHED).min(entries.len());
                self.fetch(&entries[begun..fetched]);
            }
            begun += views.len();
            let counted = self.counted(views);
            for pair in views.chunk_by(|a, b| a.0 == b.0) {
                rows.clear();
                match &counted {
                    None => rows.extend(pair.iter().map(|(_, at)| *at)),
                    Some(counted) => {
                        rows.extend(pair.iter().filter(|entry| self.counts(entry, counted)).map(|(_, at)| *at));
                    }
                }
                let Some(first) = rows.first().map(|at| self.hour(*at)) else { continue };
                if !rows.is_sorted_by_key(|at| self.hour(*at).hour_s()) {
                    rows.sort_by_key(|at| self.hour(*at).hour_s());
                }
                let key = PairKey {
                    host: (pair[0].0 >> 96) as u32,
                    remote: (pair[0].0 >> 64) as u32,
                    owner: pair[0].0 as u32,
                    port: first.port(),
                    protocol: first.protocol(),
                    role: first.role(),
                };
                visitor(&key, &rows);
            }
        }
        if entries.capacity() <= MAX_KEPT_ENTRIES {
            ENTRIES.set(entries);
        }
    }

    /// Returns which of the rows of a pair count; `None` for all of them.
    fn counted(&self, views: &[(u128, RowAt)]) -> Option<Counted> {
        let vantages = || views.iter().map(|(_, at)| self.row(*at).vantage);
        let (vantage, of_one_vantage) = match vantages().next()? {
            first if vantages().all(|vantage| vantage == first) => (first, true),
            _ => (vantages().min()?, false),
        };
        let of_one_owner = views.first().map(|entry| entry.0 as u32) == views.last().map(|entry| entry.0 as u32);
        if vantage != Vantage::Transit || of_one_owner {
            return (!of_one_vantage).then_some(Counted { vantage, owners: None });
        }
        let of_owner = |rows: &[(u128, RowAt)]| {
            let of_rows = || rows.iter().map(|(_, at)| self.row(*at));
            let ways = [of_rows().any(|row| row.packets_out > 0), of_rows().any(|row| row.packets_in > 0)];
            (rows[0].0 as u32, of_rows().map(|row| u64::from(row.records)).sum::<u64>(), ways)
        };
        let owners = || views.chunk_by(|a, b| a.0 as u32 == b.0 as u32).map(of_owner);
        let order = |of: &(u32, u64, [bool; 2])| (of.1, std::cmp::Reverse(of.0));
        let (most, _, ways) = owners().max_by_key(order)?;
        let has_what_it_lacks = |of: &(u32, u64, [bool; 2])| {
            let [out, back] = of.2;
            (out || back) && !(out && ways[0]) && !(back && ways[1])
        };
        let other = owners().filter(has_what_it_lacks).max_by_key(order).map(|(owner, ..)| owner);
        Some(Counted { vantage, owners: Some((most, other)) })
    }

    fn counts(&self, entry: &(u128, RowAt), counted: &Counted) -> bool {
        let owner = entry.0 as u32;
        self.row(entry.1).vantage == counted.vantage
            && counted.owners.is_none_or(|(most, other)| owner == most || Some(owner) == other)
    }

    fn row(&self, at: RowAt) -> &HourRow {
        &self.parts[at.table as usize].rows[at.row as usize]
    }

    /// Fetches rows and their first segments into the cache. The waits for rows of many tables overlap here; the visit
    /// of a pair would wait for one after the other.
    fn fetch(&self, entries: &[(u128, RowAt)]) {
        let mut seen = 0;
        for (_, at) in entries {
            let row = &self.parts[at.table as usize].rows[at.row as usize];
            // The first and the last field of a row.
            seen ^= row.bytes_out ^ row.vantage as u64;
        }
        for (_, at) in entries {
            let part = &self.parts[at.table as usize];
            let segment = part.segments.get(part.rows[at.row as usize].segments_at as usize);
            seen ^= segment.map_or(0, |segment| u64::from(segment.bucket));
        }
        std::hint::black_box(seen);
    }

    /// Visits every row of some hours with its segments.
    pub(crate) fn rows(&self, hours_s: &Range<i64>, mut look: impl FnMut(RowAt, &HourRow, &[PackedSegment])) {
        for (table, part) in self.parts.iter().enumerate() {
            for (at, row) in part.rows.iter().enumerate().filter(|(_, row)| hours_s.contains(&i64::from(row.hour_s))) {
                let begin = row.segments_at as usize;
                let segments = part.segments.get(begin..begin + usize::from(row.segments)).unwrap_or_default();
                look(RowAt { table: table as u32, row: at as u32 }, row, segments);
            }
        }
    }

    /// Returns the key of a row: host, remote, protocol, port, role and owner.
    pub(crate) fn key(&self, at: RowAt) -> u128 {
        self.tables[at.table as usize].key(&self.parts[at.table as usize].rows[at.row as usize])
    }

    /// Gives the host of a row of one connection the other role.
    pub(crate) fn swap_role(&mut self, at: RowAt) {
        Arc::make_mut(&mut self.parts[at.table as usize]).swap_role(at.row as usize);
    }

    /// Returns where to find the names of a row.
    pub fn names(&self, at: RowAt) -> NamesAt {
        let row = self.hour(at).row;
        NamesAt { table: at.table, interface: row.interface, service: row.service }
    }

    /// Returns a row.
    #[inline]
    pub fn hour(&self, at: RowAt) -> Hour<'_> {
        let (part, table) = (&self.parts[at.table as usize], &self.tables[at.table as usize]);
        part.hour_of(&part.rows[at.row as usize], table.lookup)
    }
}
