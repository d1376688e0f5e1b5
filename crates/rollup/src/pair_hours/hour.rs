//! One row of `pair_hours`, with its texts and segments.

use super::lookup::LookupTables;
use super::part::HourPart;
use super::row::{HourRow, PackedSegment, Vantage};
use crate::segment::Segment;
use flow::Address;
use flow::codes::Role;
use scan::address_of;
use std::sync::Arc;

/// One row of a `pair_hours` table.
#[derive(Clone, Copy, Debug)]
pub struct Hour<'a> {
    pub(super) lookup: &'a LookupTables,
    pub(crate) row: &'a HourRow,
    pub(super) segments: &'a [PackedSegment],
}

impl HourPart {
    /// Returns one of the part's rows.
    #[inline]
    pub(crate) fn hour_of<'a>(&'a self, row: &'a HourRow, lookup: &'a LookupTables) -> Hour<'a> {
        let begin = row.segments_at as usize;
        Hour { lookup, row, segments: &self.segments[begin..begin + usize::from(row.segments)] }
    }
}

impl<'a> Hour<'a> {
    /// Returns the monitored side.
    pub fn host(&self) -> Address {
        address_of(self.row.host, &self.lookup.addresses)
    }

    /// Returns the other side; `0.0.0.0` in the row that sums up rejected probes from outside.
    pub fn remote(&self) -> Address {
        address_of(self.row.remote, &self.lookup.addresses)
    }

    /// Returns the port of the service.
    pub fn port(&self) -> u16 {
        self.row.port
    }

    /// Returns the IANA protocol number.
    pub fn protocol(&self) -> u8 {
        self.row.protocol
    }

    /// Returns the role of the host.
    pub fn role(&self) -> Role {
        self.row.role
    }

    /// Returns how the ENI came to see the traffic.
    pub fn vantage(&self) -> Vantage {
        self.row.vantage
    }

    /// Returns the hour, in seconds since 1970.
    pub fn hour_s(&self) -> i64 {
        i64::from(self.row.hour_s)
    }

    /// Returns account and region; `unknown` where neither the log nor its path has them.
    pub fn owner(&self) -> (&'a str, &'a str) {
        let owner = self.lookup.owners.get(self.row.owner as usize);
        owner.map_or(("unknown", "unknown"), |(account, region)| (account, region))
    }

    /// Returns the name of the ENI.
    pub fn interface(&self) -> Option<&'a str> {
        self.lookup.names.get(self.row.interface as usize).map(String::as_str)
    }

    /// Returns the AWS service of the remote.
    pub fn service(&self) -> Option<&'a str> {
        self.lookup.services.get(usize::from(self.row.service)).map(String::as_str)
    }

    /// Returns the number of connections that began in the hour.
    pub fn connections(&self) -> u64 {
        u64::from(self.row.connections)
    }

    /// Returns the number of flow records.
    pub fn records(&self) -> u64 {
        u64::from(self.row.records)
    }

    /// Returns the number of rejected flow records.
    pub fn rejected(&self) -> u64 {
        u64::from(self.row.rejected)
    }

    /// Returns the bytes that left the host.
    pub fn bytes_out(&self) -> u64 {
        self.row.bytes_out
    }

    /// Returns the bytes that reached the host.
    pub fn bytes_in(&self) -> u64 {
        self.row.bytes_in
    }

    /// Returns the packets that left the host.
    pub fn packets_out(&self) -> u64 {
        self.row.packets_out
    }

    /// Returns the packets that reached the host.
    pub fn packets_in(&self) -> u64 {
        self.row.packets_in
    }

    /// Returns the second of the first packet, since 1970.
    pub fn first_seen_s(&self) -> i64 {
        i64::from(self.row.first_s)
    }

    /// Returns the second of the last packet, since 1970.
    pub fn last_seen_s(&self) -> i64 {
        i64::from(self.row.last_s)
    }

    /// Returns the length of the longest segment, in seconds.
    pub fn longest_s(&self) -> u32 {
        self.row.longest_s
    }

    /// Returns the aggregation interval in seconds, 60 or 600.
    pub fn window_s(&self) -> u32 {
        u32::from(self.row.window_s)
    }

    /// Returns how many connection segments the row does not keep.
    pub fn segments_dropped(&self) -> u64 {
        u64::from(self.row.segments_dropped)
    }

    /// Returns the connection segments, sorted by start.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment> + 'a {
        self.segments.iter().map(PackedSegment::segment)
    }

    /// Returns the bucket of bytes out of each segment, in their order ([`kernels::sizes`]).
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = u16> + 'a {
        self.segments.iter().map(|segment| segment.bucket)
    }
}

/// Rows of a `pair_hours` table in memory.
#[derive(Debug)]
pub struct LoadedHours<'a> {
    pub(super) lookup: &'a LookupTables,
    pub(super) parts: Vec<Arc<HourPart>>,
}

impl LoadedHours<'_> {
    /// Returns all rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Hour<'_>> {
        self.parts.iter().flat_map(|part| part.rows.iter().map(|row| part.hour_of(row, self.lookup)))
    }
}

/// Returns a histogram of buckets: sorted, each bucket once. Sorts `buckets`.
pub(crate) fn histogram(buckets: &mut [u16]) -> impl Iterator<Item = (u16, u32)> + '_ {
    buckets.sort_unstable();
    buckets.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32))
}
