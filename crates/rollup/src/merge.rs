//! Merges the `pair_hours` of many units by key, part by part, free of order.

use super::packed::PARTS;
use super::pair_hours::{Hour, HourPart, HourRow, HourWords, PackedSegment, PairHours, Slot, key_of};
use super::turn::turn;
use flow::Address;
use flow::codes::Role;
use memory::SpillError;
use scan::{FIRST_INTERNED, address_of};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What names a pair: host and remote as codes of [`Merger::address`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairKey {
    /// The monitored side.
    pub host: u32,
    /// The other side.
    pub remote: u32,
    /// Account and region, as a position in [`Merger::owners`].
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
    /// Position of the table.
    table: u32,
    /// Row in the table's part.
    row: u32,
}

/// Tables to be merged, with the owners and addresses they share.
#[derive(Debug)]
pub struct Merger<'a> {
    tables: Vec<Table<'a>>,
    /// Of each table, the parts that were not merged yet.
    parts: Vec<Mutex<Vec<Slot>>>,
    rows: usize,
    owners: Vec<(String, String)>,
    /// Addresses that are not their own code, sorted.
    addresses: Vec<Address>,
}

#[derive(Debug)]
struct Table<'a> {
    words: &'a HourWords,
    /// Position of each of the table's owners in [`Merger::owners`].
    owners: Vec<u32>,
    /// Place of each of the table's addresses among the merger's.
    places: Vec<u32>,
}

impl Table<'_> {
    fn code(&self, code: u32) -> u32 {
        match code.checked_sub(FIRST_INTERNED) {
            None => code,
            Some(place) => FIRST_INTERNED + self.places.get(place as usize).copied().unwrap_or(0),
        }
    }

    /// The key of one of the table's rows among all tables.
    fn key(&self, row: &HourRow) -> u128 {
        let owner = self.owners.get(row.owner as usize).copied().unwrap_or(0);
        key_of(self.code(row.host), self.code(row.remote), row.protocol, row.port, row.role, owner)
    }
}

/// Sorted values without repetition, and a look-up of their places.
fn sorted<T: Ord + Clone>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn places<T: Ord>(of: &[T], among: &[T]) -> Vec<u32> {
    of.iter().map(|value| among.binary_search(value).unwrap_or(0) as u32).collect()
}

impl<'a> Merger<'a> {
    /// Prepares the merge; the rows of the tables become the merger's.
    pub fn new(tables: &'a mut [PairHours]) -> Self {
        let rows = tables.iter().map(PairHours::len).sum();
        let mut parts: Vec<Vec<Slot>> = (0..PARTS).map(|_| Vec::with_capacity(tables.len())).collect();
        for table in &mut *tables {
            for (part, slot) in parts.iter_mut().zip(&mut table.parts) {
                part.push(std::mem::take(slot));
            }
        }
        let tables = &*tables;
        let owners = sorted(tables.iter().flat_map(|table| table.words.owners.iter().cloned()));
        let addresses = sorted(tables.iter().flat_map(|table| table.words.addresses.iter().copied()));
        let table = |hours: &'a PairHours| Table {
            words: &hours.words,
            owners: places(&hours.words.owners, &owners),
            places: places(&hours.words.addresses, &addresses),
        };
        let tables = tables.iter().map(table).collect();
        Self { tables, parts: parts.into_iter().map(Mutex::new).collect(), rows, owners, addresses }
    }

    /// Accounts and regions, sorted.
    pub fn owners(&self) -> &[(String, String)] {
        &self.owners
    }

    /// The address of a code.
    pub fn address(&self, code: u32) -> Address {
        address_of(code, &self.addresses)
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Cuts the parts of hosts into shards of about `rows` rows; the number depends on the tables only.
    pub fn shards(&self, rows: usize) -> Vec<Range<usize>> {
        let count = (self.rows() / rows.max(1)).clamp(1, PARTS).next_power_of_two();
        (0..count).map(|shard| shard * PARTS / count..(shard + 1) * PARTS / count).collect()
    }

    /// Takes the rows of one part of all tables, in memory: once merged they are let go, and what is made of them takes
    /// their place. A part that was taken has no rows. Rows of `hours_s` agree on who opened their connections.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn take_part(&self, part: usize, hours_s: &Range<i64>) -> Result<MergedPart<'_>, SpillError> {
        let slots = std::mem::take(&mut *self.lock(part));
        let parts = slots.iter().map(Slot::load).collect::<Result<_, _>>()?;
        drop(slots);
        let mut merged = MergedPart { tables: &self.tables, parts };
        turn(&mut merged, hours_s);
        Ok(merged)
    }

    fn lock(&self, part: usize) -> MutexGuard<'_, Vec<Slot>> {
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Codes of the hosts of a part that their own ENI logged, some of them several times.
    pub(super) fn own_hosts(&self, part: usize) -> Vec<u32> {
        let of_table = |(table, slot): (&Table<'a>, &Slot)| {
            slot.own_hosts().iter().map(|host| table.code(*host)).collect::<Vec<u32>>()
        };
        self.tables.iter().zip(&*self.lock(part)).flat_map(of_table).collect()
    }

    /// ENI and AWS service by their names: what settles which of several rows names a pair.
    pub fn names(&self, at: NamesAt) -> (Option<&'a str>, Option<&'a str>) {
        let words = self.tables[at.table as usize].words;
        let interface = words.names.get(at.interface as usize).map(String::as_str);
        (interface, words.services.get(usize::from(at.service)).map(String::as_str))
    }
}

/// Where the names of a row stand: they stay in memory when the row does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamesAt {
    table: u32,
    interface: u32,
    service: u16,
}

/// Rows that are brought into the cache together: as many as it holds with ease.
const FETCHED: usize = 64;

/// Larger lists of a thread are let go when a part was visited.
const KEPT_ENTRIES: usize = 1 << 18;

thread_local! {
    /// Keys and rows of the part under visit: the list of the last part was touched before, fresh memory was not.
    static ENTRIES: RefCell<Vec<(u128, RowAt)>> = const { RefCell::new(Vec::new()) };
}

/// The rows of one part of all tables, in memory.
#[derive(Debug)]
pub struct MergedPart<'m> {
    tables: &'m [Table<'m>],
    /// In the order of the tables.
    parts: Vec<Arc<HourPart>>,
}

impl MergedPart<'_> {
    /// Visits every pair of the part in order of key, with its rows sorted by hour and table.
    ///
    /// Where a host's own ENI saw a pair, the rows of gateways that saw it too are left out, whoever owns them: no
    /// traffic counts twice.
    pub fn visit(&self, mut visitor: impl FnMut(&PairKey, &[RowAt])) {
        let mut entries = ENTRIES.take();
        entries.clear();
        entries.reserve(self.parts.iter().map(|part| part.rows.len()).sum());
        for (at, (table, part)) in self.tables.iter().zip(&self.parts).enumerate() {
            let rows = part.rows.iter().enumerate();
            entries.extend(rows.map(|(row, hour)| (table.key(hour), RowAt { table: at as u32, row: row as u32 })));
        }
        // A stable sort finds the runs that the tables are and only merges them.
        entries.sort_by_key(|entry| entry.0);
        let mut rows: Vec<RowAt> = Vec::new();
        let (mut begun, mut fetched) = (0, 0);
        for views in entries.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
            if begun + views.len() > fetched {
                fetched = (begun + views.len()).max(begun + FETCHED).min(entries.len());
                self.fetch(&entries[begun..fetched]);
            }
            begun += views.len();
            let own_only = views.len() > 1 && views.iter().any(|(_, at)| !self.hour(*at).is_transit());
            for pair in views.chunk_by(|a, b| a.0 == b.0) {
                rows.clear();
                rows.extend(pair.iter().map(|(_, at)| *at).filter(|at| !own_only || !self.hour(*at).is_transit()));
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
        if entries.capacity() <= KEPT_ENTRIES {
            ENTRIES.set(entries);
        }
    }

    /// Brings rows and their first segments into the cache: the waits for rows of many tables overlap here, while a pair's
    /// visit would wait for one after the other.
    fn fetch(&self, entries: &[(u128, RowAt)]) {
        let mut seen = 0;
        for (_, at) in entries {
            let row = &self.parts[at.table as usize].rows[at.row as usize];
            // The first field of a row and the last.
            seen ^= row.bytes_out ^ u64::from(row.transit);
        }
        for (_, at) in entries {
            let part = &self.parts[at.table as usize];
            let segment = part.segments.get(part.rows[at.row as usize].segments_at as usize);
            seen ^= segment.map_or(0, |segment| u64::from(segment.bucket));
        }
        std::hint::black_box(seen);
    }

    /// Looks at every row of some hours with its segments.
    pub(super) fn rows(&self, hours_s: &Range<i64>, mut look: impl FnMut(RowAt, &HourRow, &[PackedSegment])) {
        for (table, part) in self.parts.iter().enumerate() {
            for (at, row) in part.rows.iter().enumerate().filter(|(_, row)| hours_s.contains(&i64::from(row.hour_s))) {
                let begin = row.segments_at as usize;
                let segments = part.segments.get(begin..begin + usize::from(row.segments)).unwrap_or_default();
                look(RowAt { table: table as u32, row: at as u32 }, row, segments);
            }
        }
    }

    /// The key of a row: host, remote, protocol, port, role and owner.
    pub(super) fn key(&self, at: RowAt) -> u128 {
        self.tables[at.table as usize].key(&self.parts[at.table as usize].rows[at.row as usize])
    }

    /// Turns a row of one connection around: its host has the other role.
    pub(super) fn turn(&mut self, at: RowAt) {
        Arc::make_mut(&mut self.parts[at.table as usize]).turn(at.row as usize);
    }

    /// Where the names of a row stand.
    pub fn names(&self, at: RowAt) -> NamesAt {
        let row = self.hour(at).row;
        NamesAt { table: at.table, interface: row.interface, service: row.service }
    }

    /// A row.
    #[inline]
    pub fn hour(&self, at: RowAt) -> Hour<'_> {
        let (part, table) = (&self.parts[at.table as usize], &self.tables[at.table as usize]);
        part.hour_of(&part.rows[at.row as usize], table.words)
    }
}
