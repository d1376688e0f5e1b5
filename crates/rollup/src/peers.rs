//! Folds the records between one host and one remote to rows: service ports, roles, hours, and a scanner's knocks.

use super::group::GroupKey;
use super::packed::{NO_SERVICE, PackedFlow, TRANSIT, is_some};
use super::pair_hours::{HourPart, HourRow, PackedSegment};
use super::pieces::{Piece, Scratch};
use super::segment::Opening;
use flow::codes::Role;
use kernels::sizes::bucket_of;
use scan::NONE;
use std::collections::BTreeMap;

/// Segments kept of one pair and hour; more are counted, not kept.
pub const SEGMENTS_KEPT: usize = 4_096;

/// Segments of a pair and hour from which on rejected knocks are more than a scanner's and keep a row of their own.
const PERSISTENT_KNOCKS: usize = 3;

/// Rows of one part in the making.
pub(super) struct PairFold<'a> {
    pub(super) part: HourPart,
    facts: &'a InterfaceFactsList,
    is_external: &'a dyn Fn(u32) -> bool,
    scratch: Scratch,
    /// The host whose rows are being made, where they begin, and what knocked at it.
    host: Option<u32>,
    host_rows: usize,
    knocks: BTreeMap<KnockKey, HourRow>,
    /// Records that were summed up as knocks.
    pub(super) knock_records: u64,
}

/// Protocol, owner, vantage and hour of rejected knocks at one host.
type KnockKey = (u8, u32, bool, u32);

/// What a unit knows of an ENI once all records are in.
#[derive(Clone, Copy, Debug)]
pub(super) struct InterfaceFacts {
    pub(super) owner: u32,
    pub(super) name_rank: u32,
    pub(super) window_s: u32,
    pub(super) transit: bool,
    /// The ENI's own IPv4 and IPv6 address by code, [`NONE`] if unknown.
    pub(super) own: [u32; 2],
}

impl InterfaceFacts {
    /// Tells whether an address, by code, is the ENI's own.
    pub(super) fn owns(&self, code: u32) -> bool {
        is_some(code) && self.own.contains(&code)
    }
}

/// Facts of ENIs by the number of their name in the text book.
#[derive(Debug, Default)]
pub(super) struct InterfaceFactsList {
    by_name: Vec<Option<InterfaceFacts>>,
    nameless: InterfaceFacts,
}

impl Default for InterfaceFacts {
    fn default() -> Self {
        Self { owner: 0, name_rank: NONE, window_s: 60, transit: false, own: [NONE; 2] }
    }
}

impl InterfaceFactsList {
    pub(super) fn new(facts: impl Iterator<Item = (u32, InterfaceFacts)>) -> Self {
        let mut list = Self::default();
        for (name, facts) in facts {
            if name == NONE {
                list.nameless = facts;
                continue;
            }
            let place = name as usize;
            if list.by_name.len() <= place {
                list.by_name.resize(place + 1, None);
            }
            list.by_name[place] = Some(facts);
        }
        list
    }

    #[inline]
    pub(super) fn of(&self, flow: &PackedFlow) -> &InterfaceFacts {
        self.by_name.get(flow.interface as usize).and_then(Option::as_ref).unwrap_or(&self.nameless)
    }
}

impl<'a> PairFold<'a> {
    /// `part` is empty, with whatever room it has.
    pub(super) fn new(facts: &'a InterfaceFactsList, is_external: &'a dyn Fn(u32) -> bool, part: HourPart) -> Self {
        Self {
            part,
            facts,
            is_external,
            scratch: Scratch::default(),
            host: None,
            host_rows: 0,
            knocks: BTreeMap::new(),
            knock_records: 0,
        }
    }

    /// Goes on to the host of these records, which may be the same; returns the number of rows so far.
    pub(super) fn enter_host(&mut self, flows: &[PackedFlow]) -> usize {
        let host = flows.first().map(|flow| flow.host);
        if self.host != host {
            self.end_host();
            self.host = host;
        }
        self.part.rows.len()
    }

    /// Folds the records of one group, sorted by ports and start; groups come in order of their keys.
    pub(super) fn fold(&mut self, key: &GroupKey, flows: &[PackedFlow]) {
        let Some(first) = flows.first() else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.orient(flows);
        scratch.cut(flows, self.facts);
        scratch.sort_pieces();
        let owner = key.owner();
        // The row knows what is the same for the whole group; the rest is filled in below.
        let blank = blank_row(first, owner);
        let row_of = |key: &u128| {
            let piece = &scratch.pieces[*key as u32 as usize];
            (piece.port, piece.role, piece.hour_s)
        };
        for keys in scratch.order.chunk_by(|a, b| row_of(a) == row_of(b)) {
            self.push_row(keys.iter().map(|key| &scratch.pieces[*key as u32 as usize]), blank);
        }
        self.scratch = scratch;
    }

    fn push_row<'p>(&mut self, pieces: impl ExactSizeIterator<Item = &'p Piece> + Clone, blank: HourRow) {
        let Some(lead) = pieces.clone().next() else { return };
        let count = pieces.len();
        let kept = count.min(SEGMENTS_KEPT);
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
        for piece in pieces.clone() {
            outbound |= piece.outbound;
            row.interface = row.interface.min(piece.interface);
            row.service = row.service.min(piece.service);
            row.window_s = row.window_s.max(piece.window_s as u16);
            row.connections += u32::from(piece.segment.opening != Opening::Continued);
            row.records += piece.records;
            row.rejected += piece.rejected;
            row.bytes_out = row.bytes_out.saturating_add(piece.bytes[0]);
            row.bytes_in = row.bytes_in.saturating_add(piece.bytes[1]);
            row.packets_out += piece.packets[0];
            row.packets_in += piece.packets[1];
            row.first_s = row.first_s.min(piece.segment.start_s as u32);
            row.last_s = row.last_s.max(piece.segment.end_s as u32);
            row.longest_s = row.longest_s.max((piece.segment.end_s - piece.segment.start_s) as u32);
        }
        // A scanner's knocks are many and say little each.
        if row.rejected == row.records && !outbound && count < PERSISTENT_KNOCKS && (self.is_external)(row.remote) {
            return self.sum_up(row);
        }
        let segments = pieces.take(kept).map(|p| PackedSegment::new(&p.segment, bucket_of(p.bytes[0])));
        self.part.segments.extend(segments);
        self.part.rows.push(row);
    }

    /// Adds a row of rejected knocks to the sum of its hour.
    fn sum_up(&mut self, row: HourRow) {
        self.knock_records += u64::from(row.records);
        let key = (row.protocol, row.owner, row.transit, row.hour_s);
        let sum = self.knocks.entry(key).or_insert(HourRow {
            remote: KNOCKING,
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

    /// Puts the knocks at a host before its other rows, since their remote sorts first.
    pub(super) fn end_host(&mut self) {
        if !self.knocks.is_empty() {
            let sums = std::mem::take(&mut self.knocks).into_values();
            self.part.rows.splice(self.host_rows..self.host_rows, sums);
            // A real remote of the same code would be `0.0.0.0` itself, and groups of several owners interleave.
            self.part.rows[self.host_rows..].sort_by_key(HourRow::order);
        }
        self.host_rows = self.part.rows.len();
    }

    /// Sorts the rows from `begin` on: those of several owners or vantages interleave.
    pub(super) fn sort_from(&mut self, begin: usize) {
        self.part.rows[begin..].sort_unstable_by_key(HourRow::order);
    }
}

/// The code that stands for the remotes of rejected knocks: `0.0.0.0`.
const KNOCKING: u32 = 0;

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
        transit: flow.is(TRANSIT),
    }
}
