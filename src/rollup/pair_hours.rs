//! The `pair_hours` table in memory: rows of 96 bytes and their connection segments, in parts by host.

mod slot;
mod table;

use super::memory::{Memory, Purpose, SpillError};
use super::packed::{NO_SERVICE, PARTS, part_of};
use super::segment::{Opening, Segment};
use crate::flow::Address;
use crate::flow::codes::Role;
use crate::scan::{FIRST_BOOKED, address_of};
pub(super) use slot::{Held, Slot};
use std::borrow::Cow;
pub use table::pair_hours_schema;

/// One row in numbers, 96 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HourRow {
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) packets_out: u64,
    pub(super) packets_in: u64,
    /// Code of the host.
    pub(super) host: u32,
    /// Code of the remote.
    pub(super) remote: u32,
    /// Times in seconds since 1970.
    pub(super) hour_s: u32,
    pub(super) first_s: u32,
    pub(super) last_s: u32,
    pub(super) longest_s: u32,
    pub(super) connections: u32,
    pub(super) records: u32,
    pub(super) rejected: u32,
    pub(super) segments_dropped: u32,
    /// First of the row's segments in its part.
    pub(super) segments_at: u32,
    /// Place of the ENI's name in the table's, `u32::MAX` if nameless.
    pub(super) interface: u32,
    /// Place of account and region in the table's.
    pub(super) owner: u32,
    pub(super) segments: u16,
    /// Place of the AWS service in the table's, [`NO_SERVICE`] for none.
    pub(super) service: u16,
    pub(super) port: u16,
    pub(super) window_s: u16,
    pub(super) protocol: u8,
    pub(super) role: Role,
    pub(super) transit: bool,
}

impl HourRow {
    /// What the rows of a part are sorted by, hour left out.
    pub(super) fn key(&self) -> u128 {
        key_of(self.host, self.remote, self.protocol, self.port, self.role, self.owner)
    }

    /// What the rows of a part are sorted by.
    pub(super) fn order(&self) -> (u128, bool, u32) {
        (self.key(), self.transit, self.hour_s)
    }
}

/// Host, remote, protocol, port, role and owner as one number, in this order. Below 2^15 owners.
pub(super) fn key_of(host: u32, remote: u32, protocol: u8, port: u16, role: Role, owner: u32) -> u128 {
    let peers = u128::from(host) << 32 | u128::from(remote);
    let service = u128::from(protocol) << 17 | u128::from(port) << 1 | u128::from(role as u8);
    peers << 64 | service << 32 | u128::from(owner)
}

/// One connection segment in 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackedSegment {
    start_s: u32,
    client_port: u16,
    /// Bucket of the segment's bytes out.
    bucket: u16,
    /// Seconds in the upper 30 bits, opening in the lower two.
    length: u32,
}

impl PackedSegment {
    pub(super) fn new(segment: &Segment, bucket: u16) -> Self {
        let duration_s = u32::try_from(segment.end_s - segment.start_s).unwrap_or(0).min(u32::MAX >> 2);
        Self {
            start_s: u32::try_from(segment.start_s).unwrap_or(0),
            client_port: segment.client_port,
            bucket,
            length: duration_s << 2 | segment.opening as u32,
        }
    }

    fn to_bytes(self) -> [u8; 12] {
        let number = u128::from(self.start_s)
            | u128::from(self.client_port) << 32
            | u128::from(self.bucket) << 48
            | u128::from(self.length) << 64;
        let bytes = number.to_le_bytes();
        std::array::from_fn(|at| bytes[at])
    }

    fn from_bytes(bytes: &[u8; 12]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let ends = word(4);
        Self { start_s: word(0), client_port: ends as u16, bucket: (ends >> 16) as u16, length: word(8) }
    }

    pub(super) fn segment(&self) -> Segment {
        Segment {
            start_s: i64::from(self.start_s),
            client_port: self.client_port,
            end_s: i64::from(self.start_s) + i64::from(self.length >> 2),
            opening: Opening::from_code((self.length & 3) as u8),
        }
    }
}

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
/// of two tables those are equal only when they are the same bytes of the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairHours {
    /// As many as there are parts of hosts.
    pub(super) parts: Vec<Slot>,
    pub(super) words: HourWords,
    pub(super) held: Held,
}

impl Default for PairHours {
    fn default() -> Self {
        Self { parts: vec![Slot::default(); PARTS], words: HourWords::default(), held: Held::default() }
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
        let parts = self.parts.iter().map(|part| part.load().map(|part| Slot::Kept(part.into_owned())));
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
                *slot = Slot::place(std::mem::take(part), &mut held)?;
            }
        }
        self.held = Held::new(held);
        Ok(self)
    }

    /// Bytes taken from the budget.
    pub fn held_bytes(&self) -> usize {
        self.held.bytes()
    }

    /// First and last hour of any row, in seconds since 1970; `None` for an empty table.
    pub fn hour_range(&self) -> Option<(i64, i64)> {
        let hours = || self.parts.iter().filter_map(Slot::hours);
        let (first, last) = (hours().map(|hours| hours.0).min()?, hours().map(|hours| hours.1).max()?);
        Some((i64::from(first), i64::from(last)))
    }

    /// Bytes of memory that the table takes.
    pub fn memory_bytes(&self) -> usize {
        self.parts.iter().map(Slot::memory_bytes).sum::<usize>() + self.words.memory_bytes()
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
    parts: Vec<Cow<'a, HourPart>>,
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

    /// Buckets of bytes out of the segments, in their order ([`crate::kernels::sizes`]).
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
    let code = match crate::scan::own_code(address) {
        Some(code) => code,
        None => addresses.binary_search(&address).ok().map(|place| FIRST_BOOKED + place as u32)?,
    };
    Some((part_of(address), code))
}

const _: () = assert!(size_of::<HourRow>() == 96 && size_of::<PackedSegment>() == 12);
