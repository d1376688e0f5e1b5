//! Folds the records between one host and one remote: service ports, roles, connections, hours.

use super::packed::{FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PackedFlow, REJECTED};
use super::segment::{Opening, SYN_SPREAD_S, Segment, TCP_IDLE_S, idle_gap_s};
use crate::flow::codes::{Role, SYN, TCP};
use crate::flow::direction::{Ends, Side, opener};
use crate::flow::time::hour_of;
use crate::kernels::sizes::bucket_of;
use crate::scan::NONE;

/// Segments kept of one pair and hour; more are counted, not kept.
pub const SEGMENTS_KEPT: usize = 4_096;

/// One row of `pair_hours` in numbers; its lists lie in [`PairFold`].
#[derive(Clone, Copy, Debug)]
pub(super) struct PairRow {
    pub(super) owner: u32,
    pub(super) host: u32,
    pub(super) remote: u32,
    pub(super) protocol: u8,
    pub(super) port: u16,
    pub(super) role: Role,
    pub(super) transit: bool,
    pub(super) hour_s: i64,
    /// Text rank of the ENI's name, [`NONE`] if nameless.
    pub(super) interface: u32,
    /// Text rank of the AWS service, [`NO_SERVICE`] for none.
    pub(super) service: u16,
    pub(super) window_s: u32,
    pub(super) connections: u32,
    pub(super) records: u32,
    pub(super) rejected: u32,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) packets_out: u64,
    pub(super) packets_in: u64,
    pub(super) first_s: i64,
    pub(super) last_s: i64,
    pub(super) longest_s: i64,
    pub(super) segments_dropped: u32,
    /// Begin and end in [`PairFold::segments`].
    pub(super) segments: (usize, usize),
    /// Begin and end in [`PairFold::sizes`].
    pub(super) sizes: (usize, usize),
}

/// Rows of many pairs and the lists they point into.
#[derive(Debug, Default)]
pub(super) struct PairFold {
    pub(super) rows: Vec<PairRow>,
    pub(super) segments: Vec<Segment>,
    /// Sparse histograms of bytes out per connection: bucket and count.
    pub(super) sizes: Vec<(u16, u32)>,
    scratch: Scratch,
}

/// What a unit knows of an ENI once all records are in.
#[derive(Clone, Copy, Debug)]
pub(super) struct InterfaceFacts {
    pub(super) owner: u32,
    pub(super) name_rank: u32,
    pub(super) window_s: u32,
    pub(super) transit: bool,
    /// The ENI's own address by number, [`NONE`] if unknown.
    pub(super) own: u32,
}

/// Buffers that are used again for every pair.
#[derive(Debug, Default)]
struct Scratch {
    tuples: Vec<Tuple>,
    remote_ports: Vec<(u16, u32)>,
    pieces: Vec<Piece>,
    sizes: Vec<u16>,
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
    window_s: u32,
}

impl PairFold {
    /// Folds the records of one (owner, host, remote, protocol, vantage), sorted by ports and start.
    pub(super) fn fold(&mut self, flows: &[PackedFlow], interfaces: &[InterfaceFacts], transit: bool) {
        let Some(first) = flows.first() else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.orient(flows);
        scratch.cut(flows, interfaces);
        scratch.pieces.sort_unstable_by_key(|p| (p.port, p.role, p.hour_s, p.segment));
        let owner = interfaces[first.interface as usize].owner;
        for pieces in scratch.pieces.chunk_by(|a, b| (a.port, a.role, a.hour_s) == (b.port, b.role, b.hour_s)) {
            self.push_row(pieces, (owner, first.host, first.remote, first.protocol, transit), &mut scratch.sizes);
        }
        self.scratch = scratch;
    }

    fn push_row(&mut self, pieces: &[Piece], key: (u32, u32, u32, u8, bool), sizes: &mut Vec<u16>) {
        let (owner, host, remote, protocol, transit) = key;
        let lead = pieces[0];
        let mut row = PairRow {
            owner,
            host,
            remote,
            protocol,
            port: lead.port,
            role: lead.role,
            transit,
            hour_s: lead.hour_s,
            interface: NONE,
            service: NO_SERVICE,
            window_s: 0,
            connections: 0,
            records: 0,
            rejected: 0,
            bytes_out: 0,
            bytes_in: 0,
            packets_out: 0,
            packets_in: 0,
            first_s: i64::MAX,
            last_s: i64::MIN,
            longest_s: 0,
            segments_dropped: pieces.len().saturating_sub(SEGMENTS_KEPT) as u32,
            segments: (self.segments.len(), self.segments.len() + pieces.len().min(SEGMENTS_KEPT)),
            sizes: (self.sizes.len(), self.sizes.len()),
        };
        sizes.clear();
        for (at, piece) in pieces.iter().enumerate() {
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
            row.first_s = row.first_s.min(piece.segment.start_s);
            row.last_s = row.last_s.max(piece.segment.end_s);
            row.longest_s = row.longest_s.max(piece.segment.end_s - piece.segment.start_s);
            sizes.push(bucket_of(piece.bytes[0]));
            if at < SEGMENTS_KEPT {
                self.segments.push(piece.segment);
            }
        }
        sizes.sort_unstable();
        self.sizes.extend(sizes.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)));
        row.sizes.1 = self.sizes.len();
        self.rows.push(row);
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
    fn cut(&mut self, flows: &[PackedFlow], interfaces: &[InterfaceFacts]) {
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
                let facts = interfaces[flow.interface as usize];
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
                                start_s <= piece.segment.end_s + idle_gap_s(flow.protocol, facts.window_s)
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
                });
                piece.add(flow, end_s, opening, facts);
            }
            self.pieces.extend(current);
        }
    }
}

impl Piece {
    fn add(&mut self, flow: &PackedFlow, end_s: i64, opening: Opening, facts: InterfaceFacts) {
        self.segment.end_s = self.segment.end_s.max(end_s);
        self.segment.opening = self.segment.opening.min(opening);
        self.records += 1;
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
