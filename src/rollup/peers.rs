//! Folds the records between one host and one remote: service ports, roles, connections, hours.

use super::group::GroupKey;
use super::packed::{FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PackedFlow, REJECTED, TRANSIT};
use super::pair_hours::{HourPart, HourRow, PackedSegment};
use super::segment::{Opening, SYN_SPREAD_S, Segment, TCP_IDLE_S, idle_gap_s};
use crate::flow::codes::{Role, SYN, TCP};
use crate::flow::direction::{Ends, Side, opener};
use crate::flow::time::hour_of;
use crate::kernels::sizes::bucket_of;
use crate::scan::NONE;
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
    pub(super) window_s: u16,
    pub(super) transit: bool,
    /// The ENI's own address by code, [`NONE`] if unknown.
    pub(super) own: u32,
}

/// Facts of ENIs by the number of their name in the text book.
#[derive(Debug, Default)]
pub(super) struct InterfaceFactsList {
    by_name: Vec<Option<InterfaceFacts>>,
    nameless: InterfaceFacts,
}

impl Default for InterfaceFacts {
    fn default() -> Self {
        Self { owner: 0, name_rank: NONE, window_s: 60, transit: false, own: NONE }
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

/// Buffers that are used again for every pair.
#[derive(Debug, Default)]
struct Scratch {
    tuples: Vec<Tuple>,
    remote_ports: Vec<(u16, u32)>,
    pieces: Vec<Piece>,
}

/// The records of one 4-tuple: begin and end in the pair's slice, and what decides its orientation.
#[derive(Clone, Copy, Debug)]
struct Tuple {
    range: (usize, usize),
    ends: Ends,
}

/// Part of one connection within one hour, with its volume.
#[derive(Clone, Copy, Debug)]
struct Piece {
    port: u16,
    role: Role,
    hour_s: i64,
    segment: Segment,
    records: u32,
    rejected: u32,
    bytes: [u64; 2],
    packets: [u64; 2],
    interface: u32,
    service: u16,
    window_s: u16,
    /// The host sent some of it.
    outbound: bool,
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
        if scratch.pieces.len() > 1 {
            scratch.pieces.sort_unstable_by_key(|p| (p.port, p.role, p.hour_s, p.segment));
        }
        let owner = key.owner();
        // The row knows what is the same for the whole group; the rest is filled in below.
        let blank = blank_row(first, owner);
        for pieces in scratch.pieces.chunk_by(|a, b| (a.port, a.role, a.hour_s) == (b.port, b.role, b.hour_s)) {
            self.push_row(pieces, blank);
        }
        self.scratch = scratch;
    }

    fn push_row(&mut self, pieces: &[Piece], blank: HourRow) {
        let lead = pieces[0];
        let kept = pieces.len().min(SEGMENTS_KEPT);
        let mut row = HourRow {
            port: lead.port,
            role: lead.role,
            hour_s: lead.hour_s as u32,
            segments_dropped: (pieces.len() - kept) as u32,
            segments_at: self.part.segments.len() as u32,
            segments: kept as u16,
            ..blank
        };
        let mut outbound = false;
        for piece in pieces {
            outbound |= piece.outbound;
            row.interface = row.interface.min(piece.interface);
            row.service = row.service.min(piece.service);
            row.window_s = row.window_s.max(piece.window_s);
            row.connections += u32::from(piece.segment.opening != Opening::Continued);
            row.records += piece.records;
            row.rejected += piece.rejected;
            row.bytes_out += piece.bytes[0];
            row.bytes_in += piece.bytes[1];
            row.packets_out += piece.packets[0];
            row.packets_in += piece.packets[1];
            row.first_s = row.first_s.min(piece.segment.start_s as u32);
            row.last_s = row.last_s.max(piece.segment.end_s as u32);
            row.longest_s = row.longest_s.max((piece.segment.end_s - piece.segment.start_s) as u32);
        }
        // A scanner's knocks are many and say little each.
        if row.rejected == row.records
            && !outbound
            && pieces.len() < PERSISTENT_KNOCKS
            && (self.is_external)(row.remote)
        {
            return self.sum_up(row);
        }
        let segments = pieces[..kept].iter().map(|p| PackedSegment::new(&p.segment, bucket_of(p.bytes[0])));
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

impl Scratch {
    /// Finds the 4-tuples of a pair and what decides which side is the client.
    fn orient(&mut self, flows: &[PackedFlow]) {
        self.tuples.clear();
        let mut begin = 0;
        for tuple in flows.chunk_by(|a, b| (a.host_port, a.remote_port) == (b.host_port, b.remote_port)) {
            let (mut host_opened, mut remote_opened) = (false, false);
            let (mut first_out, mut first_in) = (u32::MAX, u32::MAX);
            for flow in tuple {
                let outbound = flow.is(OUTBOUND);
                match opener(flow.tcp_flags).filter(|_| flow.protocol == TCP) {
                    Some(Side::Source) if outbound => host_opened = true,
                    Some(Side::Destination) if !outbound => host_opened = true,
                    Some(_) => remote_opened = true,
                    None => {}
                }
                let first = if outbound { &mut first_out } else { &mut first_in };
                *first = flow.start_s.min(*first);
            }
            let ends = Ends {
                host_port: tuple[0].host_port,
                remote_port: tuple[0].remote_port,
                host_opened,
                remote_opened,
                host_port_fan: 0,
                remote_port_fan: 0,
                host_first: (first_out != first_in).then_some(first_out < first_in),
            };
            self.tuples.push(Tuple { range: (begin, begin + tuple.len()), ends });
            begin += tuple.len();
        }
        if let [tuple] = &mut self.tuples[..] {
            (tuple.ends.host_port_fan, tuple.ends.remote_port_fan) = (1, 1);
            return;
        }
        // The tuples are sorted by host port, so its fan is the length of its run.
        for run in self.tuples.chunk_by_mut(|a, b| a.ends.host_port == b.ends.host_port) {
            let fan = run.len() as u32;
            run.iter_mut().for_each(|tuple| tuple.ends.host_port_fan = fan);
        }
        self.remote_ports.clear();
        self.remote_ports.extend(self.tuples.iter().map(|tuple| (tuple.ends.remote_port, 1)));
        self.remote_ports.sort_unstable();
        self.remote_ports.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        for tuple in &mut self.tuples {
            let at = self.remote_ports.binary_search_by_key(&tuple.ends.remote_port, |(port, _)| *port);
            tuple.ends.remote_port_fan = at.map_or(1, |at| self.remote_ports[at].1);
        }
    }

    /// Cuts every 4-tuple into connections and hours.
    fn cut(&mut self, flows: &[PackedFlow], facts: &InterfaceFactsList) {
        self.pieces.clear();
        for tuple in &self.tuples {
            let client = tuple.ends.host_is_client();
            let (port, client_port, role) = if client {
                (tuple.ends.remote_port, tuple.ends.host_port, Role::Client)
            } else {
                (tuple.ends.host_port, tuple.ends.remote_port, Role::Server)
            };
            let mut current: Option<Piece> = None;
            for flow in &flows[tuple.range.0..tuple.range.1] {
                let facts = facts.of(flow);
                let (start_s, end_s) = (i64::from(flow.start_s), i64::from(flow.end_s()));
                let flags_known = flow.is(FLAGS_KNOWN);
                let opening = match (flags_known, flow.tcp_flags & SYN != 0) {
                    (true, true) => Opening::Opened,
                    (true, false) => Opening::Continued,
                    (false, _) => Opening::Unknown,
                };
                let joins = current.as_ref().is_some_and(|piece| {
                    piece.hour_s == hour_of(start_s)
                        && match opening {
                            Opening::Opened => start_s <= piece.segment.start_s + SYN_SPREAD_S,
                            Opening::Continued => start_s <= piece.segment.end_s + TCP_IDLE_S,
                            Opening::Unknown => {
                                start_s <= piece.segment.end_s + idle_gap_s(flow.protocol, u32::from(facts.window_s))
                            }
                        }
                });
                if !joins {
                    self.pieces.extend(current.take());
                }
                let piece = current.get_or_insert(Piece {
                    port,
                    role,
                    hour_s: hour_of(start_s),
                    segment: Segment { start_s, client_port, end_s, opening },
                    records: 0,
                    rejected: 0,
                    bytes: [0; 2],
                    packets: [0; 2],
                    interface: facts.name_rank,
                    service: flow.service,
                    window_s: facts.window_s,
                    outbound: false,
                });
                piece.add(flow, end_s, opening, facts);
            }
            self.pieces.extend(current);
        }
    }
}

impl Piece {
    fn add(&mut self, flow: &PackedFlow, end_s: i64, opening: Opening, facts: &InterfaceFacts) {
        self.segment.end_s = self.segment.end_s.max(end_s);
        self.segment.opening = self.segment.opening.min(opening);
        self.records += 1;
        self.outbound |= flow.is(OUTBOUND);
        self.interface = self.interface.min(facts.name_rank);
        self.service = self.service.min(flow.service);
        self.window_s = self.window_s.max(facts.window_s);
        if flow.is(REJECTED) {
            // Rejected packets never left or arrived: they count as tries, not as volume.
            self.rejected += 1;
            return;
        }
        let way = usize::from(!flow.is(OUTBOUND));
        self.bytes[way] += flow.bytes;
        self.packets[way] += u64::from(flow.packets);
    }
}
