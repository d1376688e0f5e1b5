//! Counts packets once that several logs wrote: the ENIs on their way, or several flow logs over one ENI.
//!
//! A packet may pass several forwarders, such as a transit gateway and then a NAT gateway, and each of them names both
//! true ends. Or the two directions take different ways, or a secondary address moves to another ENI: then each ENI logs
//! packets of its own. What tells is time. Records of different logs that have the same direction and ports and overlap
//! are the same packets; all others count.

use super::unit_facts::InterfaceFactsList;
use crate::pair_hours::row::Vantage;
use crate::segment::SYN_SPREAD_S;
use crate::unit::interface::MAX_SHORT_RECORD_S;
use crate::unit::packed::{OUTBOUND, PackedFlow, REJECTED};
use flow::time::{HOUR_S, hour_of};

/// Seconds by which the records of two logs may lie apart that wrote the same packets.
const MAX_DELAY_S: u32 = 60;

/// Finds records that repeat others. The buffers are reused for every group.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    once: Vec<PackedFlow>,
    /// The records of one 4-tuple, one for each direction.
    tuple: Vec<PackedFlow>,
    logs: Vec<LogSums>,
    /// What counts of the 4-tuple and direction so far, sorted by start.
    counted: Vec<PackedFlow>,
    /// What counts of the log at hand.
    fresh: Vec<PackedFlow>,
    /// Records that repeat those of other ENIs, and those of other flow logs over the same ENI.
    found: [u64; 2],
}

/// What one log wrote of a 4-tuple and direction in an hour.
#[derive(Clone, Copy, Debug)]
struct LogSums {
    interface: u32,
    packets: u64,
    bytes: u64,
    first_s: u32,
    last_s: u32,
    longest_s: u16,
}

impl Repeats {
    /// Returns the records of a group that count, in order, and how many do not: those that repeat records of other ENIs
    /// and those of other flow logs over one ENI. `flows` are sorted by ports and start.
    ///
    /// Of two logs the finer one is preferred, then the one that saw more packets in the hour, then the first by name.
    pub(super) fn without<'a>(
        &'a mut self,
        vantage: Vantage,
        flows: &'a [PackedFlow],
        facts: &InterfaceFactsList,
    ) -> (&'a [PackedFlow], [u64; 2]) {
        let of_one_log = |flows: &[PackedFlow]| flows.iter().all(|flow| flow.interface == flows[0].interface);
        if (vantage == Vantage::Own && !facts.have_flow_logs()) || of_one_log(flows) {
            return (flows, [0; 2]);
        }
        self.once.clear();
        self.found = [0; 2];
        for seen in flows.chunk_by(|a, b| (a.host_port, a.remote_port) == (b.host_port, b.remote_port)) {
            if of_one_log(seen) {
                self.once.extend_from_slice(seen);
            } else {
                self.add_tuple(vantage, seen, facts);
            }
        }
        (&self.once, self.found)
    }

    fn add_tuple(&mut self, vantage: Vantage, seen: &[PackedFlow], facts: &InterfaceFactsList) {
        let mut tuple = std::mem::take(&mut self.tuple);
        tuple.clear();
        tuple.extend(seen.iter().flat_map(|flow| flow.halves()).flatten());
        spread_durations(&mut tuple, facts);
        // A flow log may have only what was rejected, and another the rest. Hosts of one address stay apart.
        let name = |flow: &PackedFlow| if vantage == Vantage::Own { facts.of(flow).name_rank } else { 0 };
        let way = |flow: &PackedFlow| (flow.bits & (OUTBOUND | REJECTED), name(flow));
        tuple.sort_unstable_by_key(|flow| (way(flow), order(flow, facts)));
        let begin = self.once.len();
        for of_way in tuple.chunk_by(|a, b| way(a) == way(b)) {
            self.counted.clear();
            for of_hour in of_way.chunk_by(|a, b| hour_of(a.start_s.into()) == hour_of(b.start_s.into())) {
                self.add_hour(of_hour, facts);
            }
        }
        self.once[begin..].sort_unstable_by_key(|flow| order(flow, facts));
        self.tuple = tuple;
    }

    /// Adds the records of one 4-tuple, direction and hour, sorted by start.
    fn add_hour(&mut self, flows: &[PackedFlow], facts: &InterfaceFactsList) {
        let hour_s = hour_of(flows[0].start_s.into()) as u32;
        // Only what reaches into this hour can overlap with it.
        self.counted.retain(|flow| last_s(flow).saturating_add(MAX_DELAY_S) > hour_s);
        self.sum_up(flows, facts);
        for (at, log) in self.logs.iter().enumerate() {
            self.fresh.clear();
            let twin = self.logs[..at].iter().find(|better| log.is_twin_of(better));
            for flow in flows.iter().filter(|flow| flow.interface == log.interface) {
                let repeats = twin.map(|twin| twin.interface).or_else(|| repeated(flow, &self.counted));
                match repeats {
                    Some(other) => self.found[usize::from(facts.is_same_interface(other, flow.interface))] += 1,
                    None => self.fresh.push(*flow),
                }
            }
            self.once.extend_from_slice(&self.fresh);
            self.counted.append(&mut self.fresh);
            self.counted.sort_unstable_by_key(|flow| flow.start_s);
        }
    }

    /// Sums up the logs of an hour, the preferred first.
    fn sum_up(&mut self, flows: &[PackedFlow], facts: &InterfaceFactsList) {
        self.logs.clear();
        for flow in flows {
            let known = self.logs.iter().position(|log| log.interface == flow.interface);
            let at = known.unwrap_or_else(|| {
                let (interface, first_s) = (flow.interface, flow.start_s);
                self.logs.push(LogSums { interface, packets: 0, bytes: 0, first_s, last_s: 0, longest_s: 0 });
                self.logs.len() - 1
            });
            let log = &mut self.logs[at];
            log.packets += u64::from(flow.packets);
            log.bytes = log.bytes.saturating_add(flow.bytes);
            log.last_s = log.last_s.max(flow.end_s());
            log.longest_s = log.longest_s.max(flow.duration_s);
        }
        self.logs.sort_unstable_by_key(|log| {
            let is_coarse = log.longest_s > MAX_SHORT_RECORD_S;
            (is_coarse, std::cmp::Reverse(log.packets), facts.log_order(log.interface))
        });
    }
}

impl LogSums {
    /// Returns whether both logs wrote the same packets of the hour, though their windows may lie apart.
    fn is_twin_of(&self, other: &Self) -> bool {
        (self.packets, self.bytes) == (other.packets, other.bytes)
            && self.first_s.abs_diff(other.first_s) <= MAX_DELAY_S
            && self.last_s.abs_diff(other.last_s) <= MAX_DELAY_S
    }
}

/// Gives the records of a log that begin together the longest duration among them. An exchange has only one, and which
/// records were joined to an exchange depends on the order of arrival.
fn spread_durations(tuple: &mut [PackedFlow], facts: &InterfaceFactsList) {
    tuple.sort_unstable_by_key(|flow| (flow.start_s, facts.log_order(flow.interface)));
    for together in tuple.chunk_by_mut(|a, b| (a.start_s, a.interface) == (b.start_s, b.interface)) {
        let longest_s = together.iter().map(|flow| flow.duration_s).max().unwrap_or(0);
        together.iter_mut().for_each(|flow| flow.duration_s = longest_s);
    }
}

/// Sorts the records of a group as the fold needs them, whatever the numbers of their ENIs.
fn order(flow: &PackedFlow, facts: &InterfaceFactsList) -> (u128, (u64, u32, u8), (u32, u32), u16) {
    let volume = (flow.bytes, flow.packets, flow.flags_in);
    (flow.order(), volume, facts.log_order(flow.interface), flow.service)
}

/// Returns the second after the last one of a record.
fn last_s(flow: &PackedFlow) -> u32 {
    flow.end_s().max(flow.start_s.saturating_add(1))
}

/// Returns the log of a counted record that has the same packets as a record of another log; `None` without any.
fn repeated(flow: &PackedFlow, counted: &[PackedFlow]) -> Option<u32> {
    let reach_s = last_s(flow).saturating_add(SYN_SPREAD_S as u32);
    let begun = counted.partition_point(|other| other.start_s <= reach_s);
    let is_same = |other: &&PackedFlow| {
        let overlap = other.start_s < last_s(flow) && flow.start_s < last_s(other);
        let alike = (other.bytes, other.packets) == (flow.bytes, flow.packets)
            && i64::from(other.start_s.abs_diff(flow.start_s)) <= SYN_SPREAD_S;
        other.interface != flow.interface && (overlap || alike)
    };
    // No record is longer than an hour, except those of damaged files.
    let near =
        counted[..begun].iter().rev().take_while(|other| other.start_s.saturating_add(HOUR_S as u32) >= flow.start_s);
    near.filter(is_same).map(|other| other.interface).next()
}
