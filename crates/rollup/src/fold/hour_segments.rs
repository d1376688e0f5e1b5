//! Cuts the records between one host and one remote into hour segments: parts of one connection within one hour.

use super::unit_facts::{InterfaceFacts, InterfaceFactsList};
use crate::segment::{Opening, SYN_SPREAD_S, Segment, TCP_IDLE_S, idle_gap_s};
use crate::unit::packed::{EXCHANGE, FLAGS_KNOWN, OUTBOUND, PackedFlow, REJECTED};
use flow::codes::{Role, SYN, TCP};
use flow::direction::{Ends, Side, opener};
use flow::time::hour_of;

/// Buffers that are reused for every pair.
#[derive(Debug, Default)]
pub(crate) struct SegmentBuffers {
    tuples: Vec<FourTuple>,
    remote_ports: Vec<(u16, u32)>,
    pub(crate) segments: Vec<HourSegment>,
    /// [`HourSegment::order`] of each segment, then its index.
    pub(crate) order: Vec<u128>,
}

/// The records of one 4-tuple: their range in the pair's records, and what decides their direction.
#[derive(Clone, Copy, Debug)]
struct FourTuple {
    range: (usize, usize),
    ends: Ends,
}

/// Part of one connection within one hour, with its volume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HourSegment {
    pub(crate) port: u16,
    pub(crate) role: Role,
    pub(crate) hour_s: i64,
    /// Times, client port and opening.
    pub(crate) connection: Segment,
    pub(crate) records: u32,
    pub(crate) rejected: u32,
    pub(crate) bytes: [u64; 2],
    pub(crate) packets: [u64; 2],
    pub(crate) interface: u32,
    pub(crate) service: u16,
    /// Wider than needed: reading a value next to a byte that was just written takes a dozen cycles.
    pub(crate) window_s: u32,
    /// The host sent some of it.
    pub(crate) outbound: bool,
}

impl SegmentBuffers {
    /// Finds the 4-tuples of a pair and the evidence for which side is the client.
    pub(crate) fn orient(&mut self, flows: &[PackedFlow]) {
        self.tuples.clear();
        let mut begin = 0;
        for tuple in flows.chunk_by(|a, b| (a.host_port, a.remote_port) == (b.host_port, b.remote_port)) {
            let (mut host_opened, mut remote_opened) = (false, false);
            let (mut first_out, mut first_in) = (u32::MAX, u32::MAX);
            for flow in tuple {
                let (outbound, both) = (flow.is(OUTBOUND), flow.is(EXCHANGE));
                let mut note = |tcp_flags: u8, outbound: bool| match opener(tcp_flags) {
                    Some(Side::Source) if outbound => host_opened = true,
                    Some(Side::Destination) if !outbound => host_opened = true,
                    Some(_) => remote_opened = true,
                    None => {}
                };
                if flow.protocol == TCP {
                    note(flow.tcp_flags, outbound);
                    if both {
                        note(flow.flags_in, false);
                    }
                }
                if outbound {
                    first_out = first_out.min(flow.start_s);
                }
                if !outbound | both {
                    first_in = first_in.min(flow.start_s);
                }
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
            self.tuples.push(FourTuple { range: (begin, begin + tuple.len()), ends });
            begin += tuple.len();
        }
        if let [tuple] = &mut self.tuples[..] {
            (tuple.ends.host_port_fan, tuple.ends.remote_port_fan) = (1, 1);
            return;
        }
        // The tuples are sorted by host port, so the fan of a host port is the length of its run.
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

    /// Determines the order of the segments.
    pub(crate) fn sort(&mut self) {
        self.order.clear();
        self.order.extend(self.segments.iter().zip(0u128..).map(|(segment, at)| segment.order() << u32::BITS | at));
        if !self.order.is_sorted() {
            self.order.sort_unstable();
        }
    }

    /// Cuts every 4-tuple into connections and hours.
    pub(crate) fn cut(&mut self, flows: &[PackedFlow], facts: &InterfaceFactsList) {
        self.segments.clear();
        for tuple in &self.tuples {
            let client = tuple.ends.host_is_client();
            let (port, client_port, role) = if client {
                (tuple.ends.remote_port, tuple.ends.host_port, Role::Client)
            } else {
                (tuple.ends.host_port, tuple.ends.remote_port, Role::Server)
            };
            // Only the last segment of the list grows, in place.
            let first = self.segments.len();
            for flow in &flows[tuple.range.0..tuple.range.1] {
                let facts = facts.of(flow);
                let (start_s, end_s) = (i64::from(flow.start_s), i64::from(flow.end_s()));
                let flags_known = flow.is(FLAGS_KNOWN);
                let opening = match (flags_known, flow.tcp_flags & SYN != 0) {
                    (true, true) => Opening::Opened,
                    (true, false) => Opening::Continued,
                    (false, _) => Opening::Unknown,
                };
                let joins = self.segments[first..].last().is_some_and(|segment| {
                    segment.hour_s == hour_of(start_s)
                        && match opening {
                            Opening::Opened => start_s <= segment.connection.start_s + SYN_SPREAD_S,
                            Opening::Continued => start_s <= segment.connection.end_s + TCP_IDLE_S,
                            Opening::Unknown => {
                                start_s <= segment.connection.end_s + idle_gap_s(flow.protocol, facts.window_s)
                            }
                        }
                });
                if !joins {
                    self.segments.push(HourSegment {
                        port,
                        role,
                        hour_s: hour_of(start_s),
                        connection: Segment { start_s, client_port, end_s, opening },
                        records: 0,
                        rejected: 0,
                        bytes: [0; 2],
                        packets: [0; 2],
                        interface: facts.name_rank,
                        service: flow.service,
                        window_s: facts.window_s,
                        outbound: false,
                    });
                }
                if let Some(segment) = self.segments.last_mut() {
                    segment.add(flow, end_s, opening, facts);
                }
            }
        }
    }
}

impl HourSegment {
    /// Returns a sort key of 81 bits: port, role, hour and segment. Segments of the same ports never start together,
    /// since they would be one.
    fn order(&self) -> u128 {
        let service = u128::from(self.port) << 1 | u128::from(self.role as u8);
        let start_s = self.connection.start_s as u32;
        service << 48 | u128::from(start_s) << 16 | u128::from(self.connection.client_port)
    }

    fn add(&mut self, flow: &PackedFlow, end_s: i64, opening: Opening, facts: &InterfaceFacts) {
        self.connection.end_s = self.connection.end_s.max(end_s);
        self.connection.opening = self.connection.opening.min(opening);
        self.records += flow.records();
        self.outbound |= flow.is(OUTBOUND);
        self.interface = self.interface.min(facts.name_rank);
        self.service = self.service.min(flow.service);
        self.window_s = self.window_s.max(facts.window_s);
        if flow.is(REJECTED) {
            // Rejected packets never left or arrived: they count as attempts, not as volume.
            self.rejected += 1;
            return;
        }
        for (side, (bytes, packets)) in flow.volumes().into_iter().enumerate() {
            // A damaged or hostile file may hold any number.
            self.bytes[side] = self.bytes[side].saturating_add(bytes);
            self.packets[side] += u64::from(packets);
        }
    }
}
