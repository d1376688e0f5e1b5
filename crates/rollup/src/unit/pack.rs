//! Packs blocks of records, column by column.

use super::address_code::{ends, has_value};
use super::packed::{CARRIED, FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PackedFlow, REJECTED, TRANSLATED};
use crate::options::RollupOptions;
use flow::codes::TCP;
use scan::{Decision, FlowBatch, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S};
use std::ops::Range;

/// Records that are packed at a time, few enough that the results stay in the nearest cache.
pub(crate) const BLOCK_ROWS: usize = 512;

/// What is computed for each record of a block, in addition to the columns that are copied as they are. Every list is
/// as long as the block.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// The record is like most: it has traffic and a direction, and it counts.
    pub(super) plain: Vec<bool>,
    pub(super) host: Vec<u32>,
    pub(super) remote: Vec<u32>,
    pub(super) host_port: Vec<u16>,
    pub(super) remote_port: Vec<u16>,
    pub(super) duration_s: Vec<u16>,
    pub(super) bits: Vec<u8>,
    /// Number of the remote's service in the interner.
    pub(super) service: Vec<u32>,
    /// Finding the host takes the whole unit.
    pub(super) unresolved: Vec<bool>,
    /// The packed records, valid where they are plain.
    pub(super) flows: Vec<PackedFlow>,
}

impl Block {
    /// Fills the lists from some rows of a batch. None of the loops has a branch, so the compiler can vectorise them.
    pub(super) fn fill(&mut self, batch: &FlowBatch, rows: Range<usize>, options: &RollupOptions) {
        let count = rows.len();
        self.plain.clear();
        self.plain.resize(count, true);
        self.bits.clear();
        self.bits.resize(count, 0);
        for list in [&mut self.host, &mut self.remote, &mut self.service] {
            list.resize(count, 0);
        }
        for list in [&mut self.host_port, &mut self.remote_port, &mut self.duration_s] {
            list.resize(count, 0);
        }
        self.fill_kinds(batch, &rows);
        self.fill_times(batch, &rows, options);
        self.fill_ends(batch, &rows);
        let volumes = &batch.bytes[rows.clone()];
        for (plain, bytes) in self.plain.iter_mut().zip(volumes) {
            *plain &= *bytes != MISSING_BYTES;
        }
    }

    /// Returns the packed records of the block. Those that are not plain are meaningless; services are not numbered
    /// yet.
    pub(super) fn flows_of<'a>(
        &'a self,
        batch: &'a FlowBatch,
        rows: Range<usize>,
    ) -> impl Iterator<Item = PackedFlow> + 'a {
        let count = rows.len();
        let (names, starts_s) = (&batch.interface[rows.clone()], &batch.start_s[rows.clone()]);
        let (volumes, packets) = (&batch.bytes[rows.clone()], &batch.packets[rows.clone()]);
        let (protocols, tcp_flags) = (&batch.protocol[rows.clone()], &batch.tcp_flags[rows]);
        let (hosts, remotes) = (&self.host[..count], &self.remote[..count]);
        let (host_ports, remote_ports) = (&self.host_port[..count], &self.remote_port[..count]);
        let (durations_s, bits) = (&self.duration_s[..count], &self.bits[..count]);
        (0..count).map(move |at| PackedFlow {
            bytes: volumes[at],
            host: hosts[at],
            remote: remotes[at],
            interface: names[at],
            start_s: starts_s[at],
            packets: packets[at],
            host_port: host_ports[at],
            remote_port: remote_ports[at],
            duration_s: durations_s[at],
            protocol: protocols[at] as u8,
            tcp_flags: tcp_flags[at],
            bits: bits[at],
            flags_in: 0,
            service: NO_SERVICE,
        })
    }

    fn fill_kinds(&mut self, batch: &FlowBatch, rows: &Range<usize>) {
        let count = rows.len();
        let (plain, bits) = (&mut self.plain[..count], &mut self.bits[..count]);
        let (statuses, actions) = (&batch.log_status[rows.clone()], &batch.action[rows.clone()]);
        let (directions, protocols) = (&batch.flow_direction[rows.clone()], &batch.protocol[rows.clone()]);
        let flags_known = u8::from(batch.present.tcp_flags) * FLAGS_KNOWN;
        for row in 0..count {
            let (ingress, egress) = (directions[row] == Decision::Ingress, directions[row] == Decision::Egress);
            plain[row] &= (statuses[row] == Decision::Ok) & (ingress | egress);
            bits[row] = (u8::from(!ingress) * OUTBOUND) | (u8::from(actions[row] == Decision::Reject) * REJECTED);
        }
        for row in 0..count {
            plain[row] &= protocols[row] != MISSING_PROTOCOL;
            bits[row] |= u8::from(protocols[row] as u8 == TCP) * flags_known;
        }
    }

    fn fill_times(&mut self, batch: &FlowBatch, rows: &Range<usize>, options: &RollupOptions) {
        let count = rows.len();
        let (plain, durations_s) = (&mut self.plain[..count], &mut self.duration_s[..count]);
        let (starts_s, ends_s) = (&batch.start_s[rows.clone()], &batch.end_s[rows.clone()]);
        let bound = |second: i64| second.clamp(0, i64::from(MISSING_S)) as u32;
        let (from_s, to_s) = (options.from_s.map_or(0, bound), options.to_s.map_or(MISSING_S, bound));
        for row in 0..count {
            let start_s = starts_s[row];
            plain[row] &= (start_s >= from_s) & (start_s < to_s);
            durations_s[row] = duration_of(start_s, ends_s[row]);
        }
    }

    fn fill_ends(&mut self, batch: &FlowBatch, rows: &Range<usize>) {
        let count = rows.len();
        let directions = &batch.flow_direction[rows.clone()];
        let (srcs, dsts) = (&batch.srcaddr[rows.clone()], &batch.dstaddr[rows.clone()]);
        let (pkt_srcs, pkt_dsts) = (&batch.pkt_srcaddr[rows.clone()], &batch.pkt_dstaddr[rows.clone()]);
        let (hosts, remotes) = (&mut self.host[..count], &mut self.remote[..count]);
        let (plain, bits) = (&mut self.plain[..count], &mut self.bits[..count]);
        for row in 0..count {
            let far = FarEnds::of([srcs[row], dsts[row]], [pkt_srcs[row], pkt_dsts[row]]);
            plain[row] &= has_value(far.ends[0]) & has_value(far.ends[1]);
            let ingress = directions[row] == Decision::Ingress;
            let [src_translated, dst_translated] = far.translated;
            bits[row] |= u8::from(src_translated | dst_translated) * TRANSLATED;
            bits[row] |= u8::from((src_translated & !ingress) | (dst_translated & ingress)) * CARRIED;
            [hosts[row], remotes[row]] = ends(ingress, far.ends);
        }
        let (srcports, dstports) = (&batch.srcport[rows.clone()], &batch.dstport[rows.clone()]);
        let (host_ports, remote_ports) = (&mut self.host_port[..count], &mut self.remote_port[..count]);
        for row in 0..count {
            let other =
                (srcports[row] ^ dstports[row]) & u16::from(directions[row] == Decision::Ingress).wrapping_neg();
            (host_ports[row], remote_ports[row]) = (srcports[row] ^ other, dstports[row] ^ other);
        }
        let (src_services, dst_services) = (&batch.src_service[rows.clone()], &batch.dst_service[rows.clone()]);
        let (services, bits) = (&mut self.service[..count], &self.bits[..count]);
        let names_far_ends_only = !batch.present.packet_addresses;
        for row in 0..count {
            let of_ends = ends(directions[row] == Decision::Ingress, [src_services[row], dst_services[row]]);
            services[row] = service_of(of_ends, names_far_ends_only | (bits[row] & CARRIED != 0));
        }
    }
}

/// The true ends of a record, behind any translation on the way.
pub(crate) struct FarEnds {
    pub(super) ends: [u32; 2],
    /// The end differs from the ENI's address.
    pub(super) translated: [bool; 2],
}

impl FarEnds {
    #[inline]
    pub(super) fn of([src, dst]: [u32; 2], [pkt_src, pkt_dst]: [u32; 2]) -> Self {
        let far = |pkt: u32, own: u32| if has_value(pkt) { pkt } else { own };
        let ends = [far(pkt_src, src), far(pkt_dst, dst)];
        // Without packet-level addresses the far end is the ENI's own.
        Self { ends, translated: [ends[0] != src, ends[1] != dst] }
    }
}

/// Returns the service of the remote, given those of the ENI's own side and of the other. Where the ENI `may_forward`,
/// the remote may be on its own side; the other end is then an internal host, which has none.
#[inline]
pub(crate) fn service_of([own, other]: [u32; 2], may_forward: bool) -> u32 {
    if may_forward & !has_value(other) { own } else { other }
}

/// Returns the seconds from start to end of a record, at most 65,535; 0 for a record without an end.
#[inline]
pub(crate) fn duration_of(start_s: u32, end_s: u32) -> u16 {
    let end_s = if end_s == MISSING_S { start_s } else { end_s };
    end_s.saturating_sub(start_s).min(u32::from(u16::MAX)) as u16
}

/// Joins the two records of each exchange into the first of them, as far as both are in the block, and clears the
/// others in `plain`. Where a log has both directions close to each other, this halves all later work.
pub(crate) fn join_exchanges(flows: &mut [PackedFlow], plain: &mut [bool], unresolved: &[bool]) {
    const SLOTS: usize = 2 * BLOCK_ROWS;
    const FREE: u16 = u16::MAX;
    // The latest record of each hash. A record that is pushed out of its slot stays as it is.
    let mut latest = [FREE; SLOTS];
    let rows = plain.iter_mut().zip(unresolved).enumerate();
    for (at, (plain, _)) in rows.filter(|(_, (plain, unresolved))| **plain && !**unresolved) {
        let flow = &flows[at];
        let mixed = u64::from(flow.remote) << 32 | u64::from(flow.host_port) << 16 | u64::from(flow.remote_port);
        let mixed = (mixed ^ u64::from(flow.host).rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = &mut latest[(mixed >> (u64::BITS - SLOTS.trailing_zeros())) as usize];
        match flows.get(usize::from(*slot)).and_then(|other| other.exchange_with(flow)) {
            Some(exchange) => {
                flows[usize::from(*slot)] = exchange;
                *plain = false;
                *slot = FREE;
            }
            None => *slot = at as u16,
        }
    }
}
