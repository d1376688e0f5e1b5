//! The `pair_hours` table in memory: rows of 96 bytes and their connection segments, in parts by host.

mod row;
mod slot;
mod table;

use super::packed::{PARTS, part_of};
use super::segment::Segment;
use flow::Address;
use flow::codes::Role;
use memory::{Memory, Purpose, SpillError};
pub(super) use row::{HourRow, PackedSegment, key_of, with_service};
use scan::{FIRST_INTERNED, address_of};
pub(super) use slot::{Held, Slot};
use std::sync::Arc;
pub use table::pair_hours_schema;

/// The rows of the hosts of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HourPart {
    /// Sorted by [`HourRow::order`].
    pub(super) rows: Vec<HourRow>,
    pub(super) segments: Vec<PackedSegment>,
}

impl HourPart {
    /// One of the part's rows.
    #[inline]
    pub(super) fn hour_of<'a>(&'a self, row: &'a HourRow, words: &'a HourWords) -> Hour<'a> {
        let begin = row.segments_at as usize;
        Hour { words, row, segments: &self.segments[begin..begin + usize::from(row.segments)] }
    }
}

/// The words and addresses that rows name by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HourWords {
    /// Account and region, sorted.
    pub(super) owners: Vec<(String, String)>,
    /// Names of ENIs, sorted.
    pub(super) names: Vec<String>,
    /// AWS services, sorted.
    pub(super) services: Vec<String>,
    /// Addresses that are not their own code, sorted.
    pub(super) addresses: Vec<Address>,
}

/// A `pair_hours` table: rows sorted by part of the host, then by host, remote, protocol, port, role, owner, vantage
/// and hour; addresses in the order of their codes, which puts IPv4 first. Parts that do not fit into memory are on disk;
/// of two tables those are equal only when they are the same bytes of the same file. A clone shares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairHours {
    /// As many as there are parts of hosts.
    pub(super) parts: Vec<Slot>,
    pub(super) words: Arc<HourWords>,
    pub(super) held: Held,
}

impl Default for PairHours {
    fn default() -> Self {
        Self { parts: vec![Slot::default(); PARTS], words: Arc::default(), held: Held::default() }
    }
}

impl PairHours {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Slot::rows).sum()
    }

    /// Tells whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.rows() == 0)
    }

    /// All rows in order, in memory.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn hours(&self) -> Result<LoadedHours<'_>, SpillError> {
        let parts = self.parts.iter().map(Slot::load).collect::<Result<_, _>>()?;
        Ok(LoadedHours { words: &self.words, parts })
    }

    /// The rows of some parts in order, in memory; parts that do not exist have none.
    pub(super) fn hours_of(&self, parts: std::ops::Range<usize>) -> Result<LoadedHours<'_>, SpillError> {
        let parts = self.parts.get(parts).unwrap_or_default();
        Ok(LoadedHours { words: &self.words, parts: parts.iter().map(Slot::load).collect::<Result<_, _>>()? })
    }

    /// The same table, all of it in memory.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn loaded(&self) -> Result<Self, SpillError> {
        let parts = self.parts.iter().map(|part| part.load().map(Slot::Kept));
        Ok(Self { parts: parts.collect::<Result<_, _>>()?, words: self.words.clone(), held: Held::default() })
    }

    /// Takes memory for a table that was read, and spills the parts that find none.
    ///
    /// # Errors
    /// [`SpillError`] when a part cannot be written.
    pub fn within(mut self, memory: &Memory) -> Result<Self, SpillError> {
        let mut held = memory.reserve(Purpose::Hours);
        held.grow(self.words.memory_bytes());
        for slot in &mut self.parts {
            if let Slot::Kept(part) = slot {
                *slot = Slot::place_shared(std::mem::take(part), &mut held)?;
            }
        }
        self.held = Held::new(held);
        Ok(self)
    }

    /// First and last hour of any row, in seconds since 1970; `None` for an empty table.
    pub fn hour_range(&self) -> Option<(i64, i64)> {
        let hours = || self.parts.iter().filter_map(Slot::hours);
        let (first, last) = (hours().map(|hours| hours.0).min()?, hours().map(|hours| hours.1).max()?);
        Some((i64::from(first), i64::from(last)))
    }
}

impl HourWords {
    /// Bytes of memory that the words take.
    pub(super) fn memory_bytes(&self) -> usize {
        let text = |text: &String| text.capacity() + size_of::<String>();
        let texts = self.names.iter().chain(&self.services).map(text).sum::<usize>();
        let owners = self.owners.iter().map(|(account, region)| text(account) + text(region)).sum::<usize>();
        texts + owners + self.addresses.capacity() * size_of::<Address>()
    }
}

/// Rows of a `pair_hours` table in memory.
#[derive(Debug)]
pub struct LoadedHours<'a> {
    words: &'a HourWords,
    parts: Vec<Arc<HourPart>>,
}

impl LoadedHours<'_> {
    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Hour<'_>> {
        self.parts.iter().flat_map(|part| part.rows.iter().map(|row| part.hour_of(row, self.words)))
    }
}

/// One row of a `pair_hours` table.
#[derive(Clone, Copy, Debug)]
pub struct Hour<'a> {
    words: &'a HourWords,
    pub(super) row: &'a HourRow,
    segments: &'a [PackedSegment],
}

impl<'a> Hour<'a> {
    /// The monitored side.
    pub fn host(&self) -> Address {
        address_of(self.row.host, &self.words.addresses)
    }

    /// The other side; `0.0.0.0` in the row that sums up knocks from outside.
    pub fn remote(&self) -> Address {
        address_of(self.row.remote, &self.words.addresses)
    }

    /// Port of the service.
    pub fn port(&self) -> u16 {
        self.row.port
    }

    /// IANA protocol number.
    pub fn protocol(&self) -> u8 {
        self.row.protocol
    }

    /// The role of the host.
    pub fn role(&self) -> Role {
        self.row.role
    }

    /// Tells whether a gateway saw the traffic, not the host's own ENI.
    pub fn is_transit(&self) -> bool {
        self.row.transit
    }

    /// The hour, in seconds since 1970.
    pub fn hour_s(&self) -> i64 {
        i64::from(self.row.hour_s)
    }

    /// Account and region; `unknown` where nothing tells.
    pub fn owner(&self) -> (&'a str, &'a str) {
        let owner = self.words.owners.get(self.row.owner as usize);
        owner.map_or(("unknown", "unknown"), |(account, region)| (account, region))
    }

    /// Name of the ENI.
    pub fn interface(&self) -> Option<&'a str> {
        self.words.names.get(self.row.interface as usize).map(String::as_str)
    }

    /// AWS service behind the remote.
    pub fn service(&self) -> Option<&'a str> {
        self.words.services.get(usize::from(self.row.service)).map(String::as_str)
    }

    /// Connections that began in the hour.
    pub fn connections(&self) -> u64 {
        u64::from(self.row.connections)
    }

    /// Flow records.
    pub fn records(&self) -> u64 {
        u64::from(self.row.records)
    }

    /// Rejected flow records.
    pub fn rejected(&self) -> u64 {
        u64::from(self.row.rejected)
    }

    /// Bytes that left the host.
    pub fn bytes_out(&self) -> u64 {
        self.row.bytes_out
    }

    /// Bytes that reached the host.
    pub fn bytes_in(&self) -> u64 {
        self.row.bytes_in
    }

    /// Packets that left the host.
    pub fn packets_out(&self) -> u64 {
        self.row.packets_out
    }

    /// Packets that reached the host.
    pub fn packets_in(&self) -> u64 {
        self.row.packets_in
    }

    /// First packet's second since 1970.
    pub fn first_seen_s(&self) -> i64 {
        i64::from(self.row.first_s)
    }

    /// Last packet's second since 1970.
    pub fn last_seen_s(&self) -> i64 {
        i64::from(self.row.last_s)
    }

    /// Length of the longest segment in seconds.
    pub fn longest_s(&self) -> u32 {
        self.row.longest_s
    }

    /// Aggregation interval in seconds, 60 or 600.
    pub fn window_s(&self) -> u32 {
        u32::from(self.row.window_s)
    }

    /// Connection segments beyond those that the row keeps.
    pub fn segments_dropped(&self) -> u64 {
        u64::from(self.row.segments_dropped)
    }

    /// The connection segments, sorted by start.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment> + 'a {
        self.segments.iter().map(PackedSegment::segment)
    }

    /// Buckets of bytes out of the segments, in their order ([`kernels::sizes`]).
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = u16> + 'a {
        self.segments.iter().map(|segment| segment.bucket)
    }
}

/// Histogram of buckets, sorted, each bucket once. `buckets` come back sorted.
pub(super) fn histogram(buckets: &mut [u16]) -> impl Iterator<Item = (u16, u32)> + '_ {
    buckets.sort_unstable();
    buckets.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32))
}

/// The part and code of an address in a table whose `addresses` are sorted; `None` when the table does not have it.
pub(super) fn code_in(address: Address, addresses: &[Address]) -> Option<(usize, u32)> {
    let code = match scan::own_code(address) {
        Some(code) => code,
        None => addresses.binary_search(&address).ok().map(|place| FIRST_INTERNED + place as u32)?,
    };
    Some((part_of(address), code))
}
