//! Adds batches of records to an object: most records as a block, the odd ones one by one.

use super::address_code::{ends, has_value, is_private_v4, may_share_subnet};
use super::interface::{FirstValue, InterfaceTexts, is_gateway_kind};
use super::object_interfaces::DescribedInterfaces;
use super::pack::{BLOCK_ROWS, Block, FarEnds, duration_of, join_exchanges, service_of};
use super::packed::{
    CARRIED, FLAGS_KNOWN, NO_SERVICE, OUTBOUND, PackedFlow, REJECTED, TRANSLATED, UNDECIDED, with_flow_log,
};
use super::parts::part_of_code;
use super::unit_rollup::{ObjectRollup, UNRESOLVED};
use flow::codes::TCP;
use flow::schema::Field;
use flow::time::HOUR_S;
use memory::lock;
use scan::{Decision, FIRST_INTERNED, FlowBatch, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S};
use std::ops::Range;

impl ObjectRollup<'_> {
    /// Adds a batch of flow records. [`ObjectRollup::commit`] reports what goes wrong here.
    pub fn add(&mut self, batch: &FlowBatch) {
        if self.failed.is_some() {
            return;
        }
        self.add_records(batch);
        self.failed = self.make_room().err();
    }

    fn add_records(&mut self, batch: &FlowBatch) {
        self.counts.rows += batch.rows as u64;
        self.counts.without_packet_addresses += if batch.present.packet_addresses { 0 } else { batch.rows as u64 };
        self.fields |= batch.present.eni_metadata;
        let mut block = std::mem::take(&mut self.block);
        for begin in (0..batch.rows).step_by(BLOCK_ROWS) {
            let rows = begin..batch.rows.min(begin + BLOCK_ROWS);
            block.fill(batch, rows.clone(), &self.unit.options);
            self.add_block(batch, rows, &mut block);
        }
        self.block = block;
    }

    /// Adds the records of a block in three passes. Each pass writes to few places, since a processor waits for the
    /// slowest of its pending stores.
    fn add_block(&mut self, batch: &FlowBatch, rows: Range<usize>, block: &mut Block) {
        self.tally_block(batch, rows.clone(), block);
        let mut flows = std::mem::take(&mut block.flows);
        flows.clear();
        flows.extend(block.flows_of(batch, rows.clone()));
        let services = rows.clone().zip(&block.service).filter(|(_, service)| has_value(**service));
        for (row, service) in services {
            flows[row - rows.start].service = self.service(*service);
        }
        if let Some(flow_log) = self.flow_log {
            flows.iter_mut().for_each(|flow| flow.interface = with_flow_log(flow.interface, flow_log));
        }
        join_exchanges(&mut flows, &mut block.plain, &block.unresolved);
        for ((flow, plain), unresolved) in flows.iter().zip(&block.plain).zip(&block.unresolved) {
            if *plain {
                self.keep(flow, *unresolved);
            }
        }
        block.flows = flows;
    }

    /// Counts the records of a block with their ENIs, and adds the odd ones.
    fn tally_block(&mut self, batch: &FlowBatch, rows: Range<usize>, block: &mut Block) {
        let count = rows.len();
        block.unresolved.clear();
        block.unresolved.resize(count, false);
        let (names, starts_s) = (&batch.interface[rows.clone()], &batch.start_s[rows.clone()]);
        let (plain, durations_s, bits) = (&block.plain[..count], &block.duration_s[..count], &block.bits[..count]);
        let unresolved = &mut block.unresolved[..count];
        let mut rejected = 0;
        let names_far_ends_only = !batch.present.packet_addresses;
        // The look-ups do not depend on each other, so where ENIs alternate, the waits for their tallies overlap.
        let mut indices = [0; BLOCK_ROWS];
        for (index, name) in indices.iter_mut().zip(names) {
            *index = self.interfaces.index(*name);
        }
        for at in 0..count {
            let index = indices[at];
            if !plain[at] {
                self.add_odd(batch, rows.start + at, index);
                continue;
            }
            let tally = self.interfaces.count_record(index, starts_s[at]);
            tally.longest_record_s = tally.longest_record_s.max(u32::from(durations_s[at]));
            tally.translates |= bits[at] & TRANSLATED != 0;
            unresolved[at] = match tally.unresolved {
                Some(unresolved) => unresolved,
                // Windows without traffic leave most texts out, so the first record with traffic describes the ENI.
                None => self.describe_first(batch, rows.start + at, index),
            };
            rejected += u64::from(bits[at] & REJECTED != 0);
            if bits[at] & CARRIED != 0 {
                let ingress = batch.flow_direction[rows.start + at] == Decision::Ingress;
                let [own, _] = ends(ingress, [batch.srcaddr[rows.start + at], batch.dstaddr[rows.start + at]]);
                unresolved[at] |= self.may_forward(index, own, block.host[at]);
            } else if names_far_ends_only {
                let tally = &mut self.interfaces.tallies[index];
                let own_is_private = is_private_v4(block.host[at]);
                tally.has_private_address |= own_is_private;
                unresolved[at] |= !own_is_private & is_private_v4(block.remote[at]);
            }
        }
        self.counts.rejected += rejected;
    }

    /// Notes an ENI's address in a record that it carries or forwards. Returns whether the ENI may forward it: then the
    /// packets' address on its own side, `packet`, is not in its subnet.
    #[inline]
    fn may_forward(&mut self, index: usize, own: u32, packet: u32) -> bool {
        if self.interfaces.tallies[index].carrier_address != own {
            self.interfaces.tallies[index].carrier_address = own;
            self.interfaces.details(index).carrier_addresses.insert(own);
        }
        !may_share_subnet(own, packet)
    }

    /// Adds a record in which any field may be missing.
    fn add_odd(&mut self, batch: &FlowBatch, row: usize, index: usize) {
        let start_s = batch.start_s[row];
        if start_s == MISSING_S {
            self.counts.unusable += 1;
            return;
        }
        let duration_s = duration_of(start_s, batch.end_s[row]);
        let hour_s = self.interfaces.count_record(index, start_s).hour_s;
        let is_ok = batch.log_status[row] == Decision::Ok;
        if !is_ok && self.is_empty_window(batch, row, index, hour_s, duration_s) {
            return;
        }
        let (src, dst) = (batch.srcaddr[row], batch.dstaddr[row]);
        let far = FarEnds::of([src, dst], [batch.pkt_srcaddr[row], batch.pkt_dstaddr[row]]);
        let (protocol, bytes) = (batch.protocol[row], batch.bytes[row]);
        if protocol == MISSING_PROTOCOL || bytes == MISSING_BYTES || !far.ends.into_iter().all(has_value) {
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
        let tally = &mut self.interfaces.tallies[index];
        tally.longest_record_s = tally.longest_record_s.max(u32::from(duration_s));
        tally.translates |= translated;
        let unresolved = tally.unresolved.unwrap_or_else(|| self.describe_first(batch, row, index));
        let rejected = batch.action[row] == Decision::Reject;
        self.counts.rejected += u64::from(rejected);
        let direction = batch.flow_direction[row];
        let ingress = direction == Decision::Ingress;
        let carried = (src_translated & !ingress) | (dst_translated & ingress);
        let [host, remote] = ends(ingress, far.ends);
        let name = batch.interface[row];
        let [host_port, remote_port] = ends(ingress, [batch.srcport[row], batch.dstport[row]].map(u32::from));
        let mut flow = PackedFlow {
            bytes,
            host,
            remote,
            interface: self.flow_log.map_or(name, |flow_log| with_flow_log(name, flow_log)),
            start_s,
            packets: batch.packets[row],
            host_port: host_port as u16,
            remote_port: remote_port as u16,
            duration_s,
            protocol,
            tcp_flags: batch.tcp_flags[row],
            bits: (u8::from(!ingress) * OUTBOUND)
                | (u8::from(translated) * TRANSLATED)
                | (u8::from(carried) * CARRIED)
                | (u8::from(batch.present.tcp_flags & (protocol == TCP)) * FLAGS_KNOWN)
                | (u8::from(rejected) * REJECTED),
            flags_in: 0,
            service: NO_SERVICE,
        };
        let decided = ingress || direction == Decision::Egress;
        let mut unresolved = unresolved | !decided;
        if decided {
            let of_ends = ends(ingress, [batch.src_service[row], batch.dst_service[row]]);
            let service = service_of(of_ends, carried | !batch.present.packet_addresses);
            if has_value(service) {
                flow.service = self.service(service);
            }
        } else {
            // An ENI translates its own side only: a pod's or a secondary address behind the primary one.
            flow.bits &= !CARRIED;
            if src_translated == dst_translated {
                flow.bits |= UNDECIDED;
            } else {
                flow.bits |= CARRIED;
                if dst_translated {
                    flow.swap();
                }
            }
            let records_naming = &mut self.interfaces.details(index).records_naming;
            for address in [src, dst].into_iter().filter(|address| has_value(*address)) {
                *records_naming.entry(address).or_default() += 1;
            }
        }
        if flow.is(CARRIED) {
            let own = if (decided & ingress) | (!decided & dst_translated) { dst } else { src };
            unresolved |= self.may_forward(index, own, flow.host);
        } else if decided & !batch.present.packet_addresses {
            let own_is_private = is_private_v4(flow.host);
            self.interfaces.tallies[index].has_private_address |= own_is_private;
            unresolved |= !own_is_private & is_private_v4(flow.remote);
        }
        self.keep(&flow, unresolved);
    }

    /// Puts a record into the part of its host, or aside where finding the host takes the whole unit.
    #[inline]
    fn keep(&mut self, flow: &PackedFlow, unresolved: bool) {
        let part = if unresolved || flow.host >= FIRST_INTERNED { UNRESOLVED } else { part_of_code(flow.host) };
        if self.open[part].len() == self.open[part].capacity() {
            self.start_new_list(part);
        }
        self.open[part].push(*flow);
    }

    /// Counts a record that is not `OK`. Returns whether it is a window without traffic or without data.
    #[cold]
    fn is_empty_window(&mut self, batch: &FlowBatch, row: usize, index: usize, hour_s: u32, duration_s: u16) -> bool {
        let status = batch.log_status[row];
        let names_none = !has_value(batch.srcaddr[row]) && !has_value(batch.dstaddr[row]);
        let hours = &mut self.interfaces.details(index).hours;
        if status == Decision::SkipData {
            let coverage = hours.at(i64::from(hour_s));
            coverage.skipdata += 1;
            coverage.skipdata_s = (coverage.skipdata_s + u32::from(duration_s) + 1).min(HOUR_S as u32);
            hours.add_lost_window(i64::from(batch.start_s[row]), u32::from(duration_s));
            self.counts.skipdata += 1;
        } else if status == Decision::NoData || (names_none && !batch.present.log_status) {
            hours.at(i64::from(hour_s)).nodata += 1;
            self.counts.nodata += 1;
        } else {
            return false;
        }
        true
    }

    /// Describes an ENI by its first record with traffic, unless an earlier object describes it. Returns whether the
    /// hosts of its records stay unresolved until the unit is complete.
    #[cold]
    fn describe_first(&mut self, batch: &FlowBatch, row: usize, index: usize) -> bool {
        let known = |described: &DescribedInterfaces| described.of(batch.interface[row], self.index, self.fields);
        let mut unresolved = known(&self.described);
        if unresolved.is_none() {
            // Another object may have described it meanwhile.
            self.described = lock(&self.unit.described).clone();
            unresolved = known(&self.described);
        }
        let unresolved = unresolved.unwrap_or_else(|| self.describe(batch, row, index));
        self.interfaces.tallies[index].unresolved = Some(unresolved);
        unresolved
    }

    fn describe(&mut self, batch: &FlowBatch, row: usize, index: usize) -> bool {
        let value = |field| {
            if batch.present.has_metadata(field) {
                FirstValue::new(batch.text(field, row), self.index)
            } else {
                FirstValue::default()
            }
        };
        let entry = self.interfaces.details(index);
        entry.texts = InterfaceTexts {
            account: value(Field::AccountId),
            instance: value(Field::InstanceId),
            vpc: value(Field::VpcId),
            subnet: value(Field::SubnetId),
            kind: value(Field::InterfaceType),
            region: value(Field::Region),
        };
        let kind = entry.texts.kind.number;
        let is_gateway = || {
            self.unit.interners.texts.read(|texts| texts.get(kind as usize).is_some_and(|kind| is_gateway_kind(kind)))
        };
        let unresolved = entry.has_no_instance() || (has_value(kind) && is_gateway());
        entry.has_resolved_records |= !unresolved;
        unresolved
    }

    fn service(&mut self, text: u32) -> u16 {
        let unit = self.unit;
        *self.services.entry(text).or_insert_with(|| lock(&unit.services).number(text))
    }
}
