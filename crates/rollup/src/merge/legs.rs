//! The legs of forwarded exchanges: connection segments between a host or a forwarder and a remote.

use super::merged_part::RowAt;
use crate::pair_hours::row::{HourRow, PackedSegment};
use crate::segment::Opening;
use flow::codes::Role;

/// One segment of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    /// Owner, remote and protocol.
    pub(super) peers: u128,
    /// Code of the host, or of the forwarder.
    pub(super) host: u32,
    pub(super) start_s: u32,
    pub(super) end_s: u32,
    /// Index of the row in its list.
    pub(super) row: u32,
    /// Index of the segment in the row.
    pub(super) segment: u16,
    pub(super) host_port: u16,
    pub(super) remote_port: u16,
    /// Bucket of the bytes out.
    pub(super) bucket: u16,
    /// Records may begin later than others of the same packets by so much.
    pub(super) patience_s: u16,
    pub(super) opening: Opening,
}

/// Sums of a row, or of a share of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Totals {
    /// Out and in.
    pub(super) bytes: [u64; 2],
    /// Out and in.
    pub(super) packets: [u64; 2],
    pub(super) records: u64,
    pub(super) rejected: u64,
}

impl Totals {
    fn of(row: &HourRow) -> Self {
        Self {
            bytes: [row.bytes_out, row.bytes_in],
            packets: [row.packets_out, row.packets_in],
            records: row.records.into(),
            rejected: row.rejected.into(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for side in 0..2 {
            self.bytes[side] = self.bytes[side].saturating_add(other.bytes[side]);
            self.packets[side] = self.packets[side].saturating_add(other.packets[side]);
        }
        self.records += other.records;
        self.rejected += other.rejected;
    }

    /// Returns the share of `some` segments among `all`.
    pub(super) fn share(&self, some: u32, all: u32) -> Self {
        let part = |number: u64| (u128::from(number) * u128::from(some) / u128::from(all.max(1))) as u64;
        Self {
            bytes: self.bytes.map(part),
            packets: self.packets.map(part),
            records: part(self.records),
            rejected: part(self.rejected),
        }
    }
}

/// A row with legs.
#[derive(Clone, Copy, Debug)]
pub(super) struct LegRow {
    /// Index of its part.
    pub(super) part: usize,
    pub(super) at: RowAt,
    pub(super) hour_s: u32,
    /// Number of its segments, including those that it does not keep.
    pub(super) segments: u32,
    pub(super) totals: Totals,
}

/// Rows and their segments.
#[derive(Debug, Default)]
pub(super) struct Legs {
    pub(super) rows: Vec<LegRow>,
    pub(super) legs: Vec<Leg>,
}

/// Seconds by which the first record of a connection may begin later than another of the same packets.
const MAX_DELAY_S: u16 = 60;

impl Legs {
    /// Adds a row of a part, with its key in the merger's codes and its segments.
    pub(super) fn add(&mut self, (part, at): (usize, RowAt), row: &HourRow, key: u128, segments: &[PackedSegment]) {
        let index = self.rows.len() as u32;
        let (host, remote, owner) = ((key >> 96) as u32, (key >> 64) as u32, key as u32);
        let peers = u128::from(owner) << 64 | u128::from(remote) << 32 | u128::from(row.protocol);
        for (segment, at) in segments.iter().zip(0..) {
            let (host_port, remote_port) = match row.role {
                Role::Client => (segment.client_port(), row.port),
                Role::Server => (row.port, segment.client_port()),
            };
            let opening = segment.opening();
            // What continues begins with its first packet in an hour, which each ENI meets in windows of its own.
            let patience_s = if opening == Opening::Opened { MAX_DELAY_S } else { row.window_s.max(MAX_DELAY_S) };
            let (start_s, end_s, bucket) = (segment.start_s(), segment.segment().end_s as u32, segment.bucket);
            let row = index;
            self.legs.push(Leg {
                peers,
                host,
                start_s,
                end_s,
                row,
                segment: at,
                host_port,
                remote_port,
                bucket,
                patience_s,
                opening,
            });
        }
        if !segments.is_empty() {
            let segments = u32::from(row.segments) + row.segments_dropped;
            self.rows.push(LegRow { part, at, hour_s: row.hour_s, segments, totals: Totals::of(row) });
        }
    }

    /// Returns the legs of both lists.
    pub(super) fn joined(mut self, mut other: Self) -> Self {
        let first = self.rows.len() as u32;
        other.legs.iter_mut().for_each(|leg| leg.row += first);
        self.rows.append(&mut other.rows);
        self.legs.append(&mut other.legs);
        self
    }

    /// Returns the number of legs.
    pub(super) fn len(&self) -> usize {
        self.legs.len()
    }

    /// Returns the codes of the remotes, which may repeat.
    pub(super) fn remotes(&self) -> impl Iterator<Item = u32> + '_ {
        self.legs.iter().map(Leg::remote)
    }

    /// Takes the legs of some remotes.
    pub(super) fn take(&mut self, wanted: impl Fn(u32) -> bool) -> Self {
        let (legs, rest) = std::mem::take(&mut self.legs).into_iter().partition(|leg: &Leg| wanted(leg.remote()));
        self.legs = rest;
        Self { rows: self.rows.clone(), legs }
    }

    /// Sorts the legs by all that is known of them, so that the order of tables makes no difference.
    pub(super) fn sort(&mut self) {
        let rows = &self.rows;
        self.legs.sort_unstable_by(|a, b| {
            let row = |leg: &Leg| &rows[leg.row as usize];
            a.order().cmp(&b.order()).then_with(|| {
                let (a, b) = (row(a), row(b));
                (a.hour_s, &a.totals, a.segments).cmp(&(b.hour_s, &b.totals, b.segments))
            })
        });
    }
}

impl Leg {
    /// Returns those of sorted legs that have some peers.
    pub(super) fn among(sorted: &[Leg], peers: u128) -> &[Leg] {
        let begin = sorted.partition_point(|leg| leg.peers < peers);
        let rest = &sorted[begin..];
        &rest[..rest.partition_point(|leg| leg.peers == peers)]
    }

    fn remote(&self) -> u32 {
        (self.peers >> 32) as u32
    }

    /// Returns a sort key: peers; host, remote port, start and end; host port, bucket and opening.
    fn order(&self) -> (u128, u128, u64) {
        let times = u128::from(self.start_s) << 32 | u128::from(self.end_s);
        let place = u128::from(self.host) << 80 | u128::from(self.remote_port) << 64 | times;
        let rest = u64::from(self.host_port) << 32 | u64::from(self.bucket) << 16 | self.opening as u64;
        (self.peers, place, rest)
    }
}
