//! Folds the records between one host and one remote to rows, by service port, role and hour, and sums up rejected
//! probes.

use super::group::{GroupKey, vantage_of};
use super::hour_segments::{HourSegment, SegmentBuffers};
use super::repeats::Repeats;
use super::unit_facts::InterfaceFactsList;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::row::{HourRow, PackedSegment, Vantage};
use crate::segment::Opening;
use crate::unit::packed::{NO_SERVICE, PackedFlow};
use flow::codes::Role;
use kernels::sizes::bucket_of;
use scan::NONE;
use std::collections::BTreeMap;

/// Most segments that a row of one pair and hour keeps; more are only counted.
pub const MAX_SEGMENTS: usize = 4_096;

/// A pair with this many segments in an hour is more than a scanner's probe, and keeps a row of its own.
const MIN_PERSISTENT_PROBES: usize = 3;

/// The rows of one part while it is folded.
pub(crate) struct PairFold<'a> {
    pub(crate) part: HourPart,
    facts: &'a InterfaceFactsList,
    is_external: &'a dyn Fn(u32) -> bool,
    buffers: SegmentBuffers,
    /// The host whose rows are being made.
    host: Option<u32>,
    /// Index of its first row.
    first_row: usize,
    /// Sums of its rejected probes.
    probes: BTreeMap<ProbeKey, HourRow>,
    repeats: Repeats,
    pub(crate) counts: FoldCounts,
}

/// Numbers of records that have no row of their own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FoldCounts {
    /// Records that were summed up as rejected probes.
    pub(crate) probes: u64,
    /// Records whose packets another ENI on the way logged, too.
    pub(crate) transit: u64,
    /// Records whose packets another flow log over the same ENI has, too.
    pub(crate) doubled: u64,
}

/// Protocol, owner, vantage and hour of rejected probes at one host.
type ProbeKey = (u8, u32, Vantage, u32);

impl<'a> PairFold<'a> {
    /// Starts a part; `part` is empty and lends its capacity.
    pub(crate) fn new(facts: &'a InterfaceFactsList, is_external: &'a dyn Fn(u32) -> bool, part: HourPart) -> Self {
        Self {
            part,
            facts,
            is_external,
            buffers: SegmentBuffers::default(),
            host: None,
            first_row: 0,
            probes: BTreeMap::new(),
            repeats: Repeats::default(),
            counts: FoldCounts::default(),
        }
    }

    /// Moves on to the host of these records, which may be the same. Returns the number of rows so far.
    pub(crate) fn enter_host(&mut self, flows: &[PackedFlow]) -> usize {
        let host = flows.first().map(|flow| flow.host);
        if self.host != host {
            self.end_host();
            self.host = host;
        }
        self.part.rows.len()
    }

    /// Folds the records of one group, sorted by ports and start. Groups come in order of their keys.
    pub(crate) fn fold(&mut self, key: &GroupKey, flows: &[PackedFlow]) {
        let mut repeats = std::mem::take(&mut self.repeats);
        let (flows, [transit, doubled]) = repeats.without(key.vantage(), flows, self.facts);
        self.counts.transit += transit;
        self.counts.doubled += doubled;
        self.fold_once(key, flows);
        self.repeats = repeats;
    }

    /// Folds the records of one group, none of which repeats another.
    fn fold_once(&mut self, key: &GroupKey, flows: &[PackedFlow]) {
        let Some(first) = flows.first() else { return };
        let mut buffers = std::mem::take(&mut self.buffers);
        buffers.orient(flows);
        buffers.cut(flows, self.facts);
        buffers.sort();
        let owner = key.owner();
        // What is the same for the whole group; the rest is filled in below.
        let blank = blank_row(first, owner);
        let row_of = |key: &u128| {
            let segment = &buffers.segments[*key as u32 as usize];
            (segment.port, segment.role, segment.hour_s)
        };
        for keys in buffers.order.chunk_by(|a, b| row_of(a) == row_of(b)) {
            self.push_row(keys.iter().map(|key| &buffers.segments[*key as u32 as usize]), blank);
        }
        self.buffers = buffers;
    }

    fn push_row<'p>(&mut self, segments: impl ExactSizeIterator<Item = &'p HourSegment> + Clone, blank: HourRow) {
        let Some(lead) = segments.clone().next() else { return };
        let count = segments.len();
        let kept = count.min(MAX_SEGMENTS);
        let mut row = HourRow {
            port: lead.port,
            role: lead.role,
            hour_s: lead.hour_s as u32,
            segments_dropped: (count - kept) as u32,
            segments_at: self.part.segments.len() as u32,
            segments: kept as u16,
            ..blank
        };
        let mut outbound = false;
        for segment in segments.clone() {
            outbound |= segment.outbound;
            row.interface = row.interface.min(segment.interface);
            row.service = row.service.min(segment.service);
            row.window_s = row.window_s.max(segment.window_s as u16);
            row.connections += u32::from(segment.connection.opening != Opening::Continued);
            row.records += segment.records;
            row.rejected += segment.rejected;
            row.bytes_out = row.bytes_out.saturating_add(segment.bytes[0]);
            row.bytes_in = row.bytes_in.saturating_add(segment.bytes[1]);
            row.packets_out += segment.packets[0];
            row.packets_in += segment.packets[1];
            row.first_s = row.first_s.min(segment.connection.start_s as u32);
            row.last_s = row.last_s.max(segment.connection.end_s as u32);
            row.longest_s = row.longest_s.max((segment.connection.end_s - segment.connection.start_s) as u32);
        }
        // A scanner's probes are many, and each says little.
        if row.rejected == row.records && !outbound && count < MIN_PERSISTENT_PROBES && (self.is_external)(row.remote) {
            return self.sum_up(row);
        }
        let segments = segments.take(kept).map(|p| PackedSegment::new(&p.connection, bucket_of(p.bytes[0])));
        self.part.segments.extend(segments);
        self.part.rows.push(row);
    }

    /// Adds a row of rejected probes to the sum of its hour.
    fn sum_up(&mut self, row: HourRow) {
        self.counts.probes += u64::from(row.records);
        let key = (row.protocol, row.owner, row.vantage, row.hour_s);
        let sum = self.probes.entry(key).or_insert(HourRow {
            remote: PROBE_REMOTE,
            port: 0,
            role: Role::Server,
            service: NO_SERVICE,
            segments: 0,
            longest_s: 0,
            connections: 0,
            records: 0,
            rejected: 0,
            ..row
        });
        sum.connections += row.connections;
        sum.records += row.records;
        sum.rejected += row.rejected;
        sum.first_s = sum.first_s.min(row.first_s);
        sum.last_s = sum.last_s.max(row.last_s);
        sum.interface = sum.interface.min(row.interface);
        sum.window_s = sum.window_s.max(row.window_s);
    }

    /// Inserts the sums of rejected probes of a host before its other rows, since their remote sorts first.
    pub(crate) fn end_host(&mut self) {
        if !self.probes.is_empty() {
            let sums = std::mem::take(&mut self.probes).into_values();
            self.part.rows.splice(self.first_row..self.first_row, sums);
            // A real remote of the same code would be `0.0.0.0` itself, and groups of several owners interleave.
            self.part.rows[self.first_row..].sort_by_key(HourRow::order);
        }
        self.first_row = self.part.rows.len();
    }

    /// Sorts the rows from `begin` on, since those of several owners or vantages interleave.
    pub(crate) fn sort_from(&mut self, begin: usize) {
        self.part.rows[begin..].sort_unstable_by_key(HourRow::order);
    }
}

/// Code of the remote of rows that sum up rejected probes: `0.0.0.0`.
const PROBE_REMOTE: u32 = 0;

fn blank_row(flow: &PackedFlow, owner: u32) -> HourRow {
    HourRow {
        bytes_out: 0,
        bytes_in: 0,
        packets_out: 0,
        packets_in: 0,
        host: flow.host,
        remote: flow.remote,
        hour_s: 0,
        first_s: u32::MAX,
        last_s: 0,
        longest_s: 0,
        connections: 0,
        records: 0,
        rejected: 0,
        segments_dropped: 0,
        segments_at: 0,
        interface: NONE,
        owner,
        segments: 0,
        service: NO_SERVICE,
        port: 0,
        window_s: 0,
        protocol: flow.protocol,
        role: Role::Client,
        vantage: vantage_of(flow),
    }
}
