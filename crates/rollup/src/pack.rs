//! Packs batches of records: column by column where a record is like most, and one by one where it is not.

use super::RollupOptions;
use super::packed::{
    FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PARTS, PackedFlow, REJECTED, TRANSLATED, UNDECIDED, ends, is_some, part_of_code,
};
use super::unit::ObjectRollup;
use flow::codes::TCP;
use scan::{Decision, FIRST_INTERNED, FlowBatch, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S};
use std::ops::Range;

/// Records that are packed at a time, few enough that what is made of them stays in the nearest cache.
const BLOCK_ROWS: usize = 512;

/// What records become beside the columns that they keep as they are; every list is as long as the block.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The record is like most: with traffic, of a known direction, and it counts.
    plain: Vec<bool>,
    host: Vec<u32>,
    remote: Vec<u32>,
    host_port: Vec<u16>,
    remote_port: Vec<u16>,
    duration_s: Vec<u16>,
    bits: Vec<u8>,
    /// Number of the remote's service in the text book.
    service: Vec<u32>,
    /// Only the whole unit tells the host.
    unsettled: Vec<bool>,
    /// The records, where they are plain.
    flows: Vec<PackedFlow>,
}

impl Block {
    /// Fills the lists from some rows of a batch. There is no branch in any of the loops, so that a processor does
    /// several rows at a time.
    fn fill(&mut self, batch: &FlowBatch, rows: Range<usize>, options: &RollupOptions) {
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

    /// The records of the block, of which those that are not plain mean nothing; services are not numbered yet.
    fn flows_of<'a>(&'a self, batch: &'a FlowBatch, rows: Range<usize>) -> impl Iterator<Item = PackedFlow> + 'a {
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
            let far = Far::of([srcs[row], dsts[row]], [pkt_srcs[row], pkt_dsts[row]]);
            plain[row] &= is_some(far.ends[0]) & is_some(far.ends[1]);
            bits[row] |= u8::from(far.translated[0] | far.translated[1]) * TRANSLATED;
            [hosts[row], remotes[row]] = ends(directions[row] == Decision::Ingress, far.ends);
        }
        let (srcports, dstports) = (&batch.srcport[rows.clone()], &batch.dstport[rows.clone()]);
        let (host_ports, remote_ports) = (&mut self.host_port[..count], &mut self.remote_port[..count]);
        for row in 0..count {
            let other =
                (srcports[row] ^ dstports[row]) & u16::from(directions[row] == Decision::Ingress).wrapping_neg();
            (host_ports[row], remote_ports[row]) = (srcports[row] ^ other, dstports[row] ^ other);
        }
        let (src_services, dst_services) = (&batch.src_service[rows.clone()], &batch.dst_service[rows.clone()]);
        let services = &mut self.service[..count];
        for row in 0..count {
            [_, services[row]] = ends(directions[row] == Decision::Ingress, [src_services[row], dst_services[row]]);
        }
    }
}

/// The ends of a record beyond a translation on the way.
struct Far {
    ends: [u32; 2],
    /// The end is not the ENI's address.
    translated: [bool; 2],
}

impl Far {
    #[inline]
    fn of([src, dst]: [u32; 2], [pkt_src, pkt_dst]: [u32; 2]) -> Self {
        let far = |pkt: u32, own: u32| if is_some(pkt) { pkt } else { own };
        let ends = [far(pkt_src, src), far(pkt_dst, dst)];
        // Without packet-level addresses the far end is the ENI's own.
        Self { ends, translated: [ends[0] != src, ends[1] != dst] }
    }
}

/// Seconds from start to end of a record, at most 65,535; without an end it ends when it starts.
#[inline]
fn duration_of(start_s: u32, end_s: u32) -> u16 {
    let end_s = if end_s == MISSING_S { start_s } else { end_s };
    end_s.saturating_sub(start_s).min(u32::from(u16::MAX)) as u16
}

/// Joins the two records of exchanges into the first of each, as far as a block has both, and takes the others out of
/// `plain`. Where a log has both ways near each other, that is half of the work behind.
fn join_exchanges(flows: &mut [PackedFlow], plain: &mut [bool], unsettled: &[bool]) {
    const SLOTS: usize = 2 * BLOCK_ROWS;
    const FREE: u16 = u16::MAX;
    // The latest record of each hash: one that it takes the place of stays as it is.
    let mut latest = [FREE; SLOTS];
    let rows = plain.iter_mut().zip(unsettled).enumerate();
    for (at, (plain, _)) in rows.filter(|(_, (plain, unsettled))| **plain && !**unsettled) {
        let flow = &flows[at];
        let mixed = u64::from(flow.remote) << 32 | u64::from(flow.host_port) << 16 | u64::from(flow.remote_port);
        let mixed = (mixed ^ u64::from(flow.host).rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = &mut latest[(mixed >> (u64::BITS - SLOTS.trailing_zeros())) as usize];
        match flows.get(usize::from(*slot)).and_then(|other| other.joined(flow)) {
            Some(exchange) => {
                flows[usize::from(*slot)] = exchange;
                *plain = false;
                *slot = FREE;
            }
            None => *slot = at as u16,
        }
    }
}

impl ObjectRollup<'_> {
    pub(super) fn add_records(&mut self, batch: &FlowBatch) {
        self.counts.rows += batch.rows as u64;
        self.fields |= batch.present.eni_metadata;
        let mut block = std::mem::take(&mut self.block);
        for begin in (0..batch.rows).step_by(BLOCK_ROWS) {
            let rows = begin..batch.rows.min(begin + BLOCK_ROWS);
            block.fill(batch, rows.clone(), &self.unit.options);
            self.add_block(batch, rows, &mut block);
        }
        self.block = block;
    }

    /// Adds the records of a block in three passes, each with few places to write to: a processor waits for the slowest
    /// of the stores that are under way.
    fn add_block(&mut self, batch: &FlowBatch, rows: Range<usize>, block: &mut Block) {
        self.tally_block(batch, rows.clone(), block);
        let mut flows = std::mem::take(&mut block.flows);
        flows.clear();
        flows.extend(block.flows_of(batch, rows.clone()));
        let services = rows.clone().zip(&block.service).filter(|(_, service)| is_some(**service));
        for (row, service) in services {
            flows[row - rows.start].service = self.service(*service);
        }
        join_exchanges(&mut flows, &mut block.plain, &block.unsettled);
        for ((flow, plain), unsettled) in flows.iter().zip(&block.plain).zip(&block.unsettled) {
            if *plain {
                self.keep(flow, *unsettled);
            }
        }
        block.flows = flows;
    }

    /// Counts the records of a block with their ENIs, and adds the odd ones.
    fn tally_block(&mut self, batch: &FlowBatch, rows: Range<usize>, block: &mut Block) {
        let count = rows.len();
        block.unsettled.clear();
        block.unsettled.resize(count, false);
        let (names, starts_s) = (&batch.interface[rows.clone()], &batch.start_s[rows.clone()]);
        let (plain, durations_s, bits) = (&block.plain[..count], &block.duration_s[..count], &block.bits[..count]);
        let unsettled = &mut block.unsettled[..count];
        let mut rejected = 0;
        // Where ENIs take turns, their tallies are waited for side by side: nothing here asks who came before.
        let mut places = [0; BLOCK_ROWS];
        for (place, name) in places.iter_mut().zip(names) {
            *place = self.interfaces.place(*name);
        }
        for at in 0..count {
            let place = places[at];
            if !plain[at] {
                self.add_odd(batch, rows.start + at, place);
                continue;
            }
            let tally = self.interfaces.count(place, starts_s[at]);
            tally.longest_record_s = tally.longest_record_s.max(u32::from(durations_s[at]));
            tally.translates |= bits[at] & TRANSLATED != 0;
            unsettled[at] = match tally.unsettled {
                Some(unsettled) => unsettled,
                // Windows without traffic leave most texts out, so the first record with traffic tells them.
                None => self.describe_first(batch, rows.start + at, place),
            };
            rejected += u64::from(bits[at] & REJECTED != 0);
        }
        self.counts.rejected += rejected;
    }

    /// Adds a record that may lack anything.
    fn add_odd(&mut self, batch: &FlowBatch, row: usize, place: usize) {
        let start_s = batch.start_s[row];
        if start_s == MISSING_S {
            self.counts.unusable += 1;
            return;
        }
        let duration_s = duration_of(start_s, batch.end_s[row]);
        let hour_s = self.interfaces.count(place, start_s).hour_s;
        let is_ok = batch.log_status[row] == Decision::Ok;
        if !is_ok && self.is_empty_window(batch, row, place, hour_s, duration_s) {
            return;
        }
        let (src, dst) = (batch.srcaddr[row], batch.dstaddr[row]);
        let far = Far::of([src, dst], [batch.pkt_srcaddr[row], batch.pkt_dstaddr[row]]);
        let (protocol, bytes) = (batch.protocol[row], batch.bytes[row]);
        if protocol == MISSING_PROTOCOL || bytes == MISSING_BYTES || !far.ends.into_iter().all(is_some) {
            self.counts.unusable += 1;
            return;
        }
        if !self.unit.options.holds(i64::from(start_s)) {
            self.counts.outside += 1;
            return;
        }
        let protocol = protocol as u8;
        let [src_translated, dst_translated] = far.translated;
        let translated = src_translated | dst_translated;
        let tally = &mut self.interfaces.tallies[place];
        tally.longest_record_s = tally.longest_record_s.max(u32::from(duration_s));
        tally.translates |= translated;
        let unsettled = tally.unsettled.unwrap_or_else(|| self.describe_first(batch, row, place));
        let rejected = batch.action[row] == Decision::Reject;
        self.counts.rejected += u64::from(rejected);
        let direction = batch.flow_direction[row];
        let ingress = direction == Decision::Ingress;
        let [host, remote] = ends(ingress, far.ends);
        let [host_port, remote_port] = ends(ingress, [batch.srcport[row], batch.dstport[row]].map(u32::from));
        let mut flow = PackedFlow {
            bytes,
            host,
            remote,
            interface: batch.interface[row],
            start_s,
            packets: batch.packets[row],
            host_port: host_port as u16,
            remote_port: remote_port as u16,
            duration_s,
            protocol,
            tcp_flags: batch.tcp_flags[row],
            bits: (u8::from(!ingress) * OUTBOUND)
                | (u8::from(translated) * TRANSLATED)
                | (u8::from(batch.present.tcp_flags & (protocol == TCP)) * FLAGS_KNOWN)
                | (u8::from(rejected) * REJECTED),
            flags_in: 0,
            service: NO_SERVICE,
        };
        let decided = ingress || direction == Decision::Egress;
        if decided {
            let [_, service] = ends(ingress, [batch.src_service[row], batch.dst_service[row]]);
            if is_some(service) {
                flow.service = self.service(service);
            }
        } else {
            // An ENI translates its own side only: a pod's or a secondary address behind the primary one.
            if src_translated == dst_translated {
                flow.bits |= UNDECIDED;
            } else if dst_translated {
                flow.swap();
            }
            let votes = &mut self.interfaces.beyond(place).votes;
            for address in [src, dst].into_iter().filter(|address| is_some(*address)) {
                *votes.entry(address).or_default() += 1;
            }
        }
        self.keep(&flow, unsettled || !decided);
    }

    /// Puts a record into the part of its host, or aside where only the whole unit tells the host.
    #[inline]
    fn keep(&mut self, flow: &PackedFlow, unsettled: bool) {
        let part = if unsettled || flow.host >= FIRST_INTERNED { PARTS } else { part_of_code(flow.host) };
        if self.open[part].len() == self.open[part].capacity() {
            self.turn(part);
        }
        self.open[part].push(*flow);
    }
}
