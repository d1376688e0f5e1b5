//! Finds the hosts of records for which that takes the whole unit, and drops records that only repeat traffic.

use super::unit_facts::{InterfaceFacts, UnitFacts, ranked};
use crate::unit::flow_file::{FlowFile, FlowRun};
use crate::unit::packed::{CARRIED, LIST_RECORDS, PackedFlow, TRANSIT, TRANSLATED, UNDECIDED, record_lists};
use crate::unit::parts::{PARTS, part_of};
use crate::unit::record_buffer::{Lists, RecordBuffer};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use memory::{Memory, Purpose, SpillError};
use rayon::prelude::*;
use scan::address_of;

/// The records of a unit, each in the part of its host.
#[derive(Debug, Default)]
pub(crate) struct ResolvedUnit {
    pub(crate) parts: Vec<ResolvedPart>,
    /// Records that only repeat traffic.
    pub(crate) dropped: u64,
}

/// The records of one part.
#[derive(Debug, Default)]
pub(crate) struct ResolvedPart {
    pub(crate) part: usize,
    /// Addresses are numbered by arrival. Runs may still have records of gateways, which were resolved elsewhere.
    arrived: RecordBuffer,
    /// Addresses are numbered by rank.
    resolved: RecordBuffer,
}

impl ResolvedUnit {
    /// Returns the bytes of memory that the records take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let lists = self.parts.iter().flat_map(|part| part.arrived.lists.iter().chain(&part.resolved.lists));
        lists.map(|list| list.capacity() * size_of::<PackedFlow>()).sum()
    }
}

impl ResolvedPart {
    /// Returns the number of records, including those of gateways.
    pub(crate) fn records(&self) -> usize {
        let records = |buffer: &RecordBuffer| {
            buffer.lists.iter().map(Vec::len).sum::<usize>() + buffer.runs.iter().map(|run| run.records).sum::<usize>()
        };
        records(&self.arrived) + records(&self.resolved)
    }

    /// Returns whether some records are on disk.
    pub(crate) fn is_spilled(&self) -> bool {
        !(self.arrived.runs.is_empty() && self.resolved.runs.is_empty())
    }
}

/// Resolved records of one thread that are to be written to disk.
struct SpillQueue {
    lists: Vec<Vec<PackedFlow>>,
    records: usize,
    runs: Vec<(usize, FlowRun)>,
    dropped: u64,
}

impl SpillQueue {
    fn write(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        for (part, list) in self.lists.iter_mut().enumerate().filter(|(_, list)| !list.is_empty()) {
            self.runs.push((part, flows.write(std::slice::from_ref(list))?));
            list.clear();
        }
        self.records = 0;
        Ok(())
    }
}

/// Fewest records that are resolved together, so that most of the lists that they start are at least a quarter full.
const GROUP_RECORDS: usize = PARTS * LIST_RECORDS / 4;

/// Adds a record to the last list, or starts a new list.
#[inline]
fn put(lists: &mut Lists, flow: &PackedFlow, memory: &Memory) {
    match lists.last_mut() {
        Some(list) if list.len() < list.capacity() => list.push(*flow),
        _ => {
            let mut list = record_lists(memory).take();
            list.push(*flow);
            lists.push(list);
        }
    }
}

impl UnitFacts<'_> {
    /// Brings every record to the part of its host. If any record of the unit is on disk, the records to be resolved
    /// are written there too.
    pub(crate) fn resolve_all(
        &self,
        mut arrived: Vec<RecordBuffer>,
        mut unresolved: RecordBuffer,
        flows: &FlowFile,
    ) -> Result<ResolvedUnit, SpillError> {
        let spilled = arrived.iter().chain([&unresolved]).any(|buffer| !buffer.runs.is_empty());
        let (resolved, dropped) = if spilled {
            unresolved.spill(flows)?;
            let mut runs: Vec<(FlowRun, bool)> = unresolved.runs.into_iter().map(|run| (run, false)).collect();
            if self.late_gateway {
                arrived.iter_mut().try_for_each(|buffer| buffer.spill(flows))?;
                runs.extend(arrived.iter().flat_map(|buffer| &buffer.runs).map(|run| (*run, true)));
            }
            self.resolve_runs(&runs, flows)?
        } else {
            if self.late_gateway {
                let lists = arrived.par_iter_mut().flat_map_iter(|buffer| &mut buffer.lists);
                let of_gateways: Lists = lists.map(|list| self.take_gateways(list)).collect();
                unresolved.lists.extend(of_gateways);
            }
            self.resolve_lists(unresolved.lists, flows.memory())
        };
        let buffers = arrived.into_iter().zip(resolved).enumerate();
        let parts = buffers.map(|(part, (arrived, resolved))| ResolvedPart { part, arrived, resolved }).collect();
        Ok(ResolvedUnit { parts, dropped })
    }

    /// Loads the records of a part into memory. Also returns how many of the lists have addresses numbered by arrival.
    pub(crate) fn read(&self, part: ResolvedPart, flows: &FlowFile) -> Result<(Lists, usize), SpillError> {
        let ResolvedPart { arrived, resolved, .. } = part;
        let mut lists = arrived.lists;
        if !arrived.runs.is_empty() {
            let mut list = Vec::with_capacity(arrived.runs.iter().map(|run| run.records).sum());
            for run in arrived.runs {
                flows.read(run, |flow| {
                    if !(self.late_gateway && self.interfaces.of(&flow).is_gateway) {
                        list.push(flow);
                    }
                })?;
            }
            lists.push(list);
        }
        let unranked = lists.len();
        lists.extend(resolved.lists);
        if !resolved.runs.is_empty() {
            let mut list = Vec::with_capacity(resolved.runs.iter().map(|run| run.records).sum());
            resolved.runs.into_iter().try_for_each(|run| flows.read(run, |flow| list.push(flow)))?;
            lists.push(list);
        }
        Ok((lists, unranked))
    }

    /// Resolves records on disk. Where the flag of a run is set, only those of gateways.
    fn resolve_runs(&self, runs: &[(FlowRun, bool)], flows: &FlowFile) -> Result<(Vec<RecordBuffer>, u64), SpillError> {
        let threads = rayon::current_num_threads().max(1);
        let share = flows.memory().share(Purpose::Records) / size_of::<PackedFlow>() / threads;
        let most = (share / 8).clamp(1, 1 << 18);
        let resolve = |runs: &[(FlowRun, bool)]| -> Result<SpillQueue, SpillError> {
            let mut queue = SpillQueue { lists: vec![Vec::new(); PARTS], records: 0, runs: Vec::new(), dropped: 0 };
            let mut forwarding = HashSet::default();
            for (run, gateways_only) in runs {
                for chunk in run.chunks() {
                    flows.read(chunk, |mut flow| {
                        if *gateways_only && !self.interfaces.of(&flow).is_gateway {
                            return;
                        }
                        match self.resolve_record(&mut flow, &mut forwarding) {
                            Some(part) => {
                                queue.lists[part].push(flow);
                                queue.records += 1;
                            }
                            None => queue.dropped += u64::from(flow.records()),
                        }
                    })?;
                    if queue.records >= most {
                        queue.write(flows)?;
                    }
                }
            }
            queue.write(flows)?;
            self.interfaces.note_forwarding(forwarding);
            queue.lists = Vec::new();
            Ok(queue)
        };
        let length = runs.len().div_ceil(threads).max(1);
        let resolved = runs.par_chunks(length).map(resolve).collect::<Result<Vec<SpillQueue>, SpillError>>()?;
        let mut buffers = vec![RecordBuffer::default(); PARTS];
        let mut dropped = 0;
        for queue in resolved {
            dropped += queue.dropped;
            queue.runs.into_iter().for_each(|(part, run)| buffers[part].runs.push(run));
        }
        Ok((buffers, dropped))
    }

    /// Removes the records of gateways from a list and returns them.
    fn take_gateways(&self, list: &mut Vec<PackedFlow>) -> Vec<PackedFlow> {
        let mut taken = Vec::new();
        list.retain(|flow| {
            let stays = !self.interfaces.of(flow).is_gateway;
            if !stays {
                taken.push(*flow);
            }
            stays
        });
        taken
    }

    /// Finds the hosts of records in memory. Also returns how many only repeat traffic.
    fn resolve_lists(&self, mut lists: Lists, memory: &Memory) -> (Vec<RecordBuffer>, u64) {
        let records: usize = lists.iter().map(Vec::len).sum();
        let groups = (records / GROUP_RECORDS).clamp(1, rayon::current_num_threads());
        let most = memory.max_unused_bytes();
        let resolve = |lists: &mut [Vec<PackedFlow>]| {
            let mut resolved: Vec<Lists> = vec![Lists::new(); PARTS];
            let mut dropped = 0;
            let mut forwarding = HashSet::default();
            let mut parts = Vec::new();
            for list in lists {
                // A record is copied some time after it was changed: an immediate copy would wait for the changes.
                parts.clear();
                parts.extend(list.iter_mut().map(|flow| self.resolve_record(flow, &mut forwarding)));
                for (flow, part) in list.iter().zip(&parts) {
                    match part {
                        Some(part) => put(&mut resolved[*part], flow, memory),
                        None => dropped += u64::from(flow.records()),
                    }
                }
                record_lists(memory).give([std::mem::take(list)], most);
            }
            self.interfaces.note_forwarding(forwarding);
            (resolved, dropped)
        };
        let length = lists.len().div_ceil(groups).max(1);
        let resolved: Vec<(Vec<Lists>, u64)> = lists.par_chunks_mut(length).map(resolve).collect();
        let mut buffers = vec![RecordBuffer::default(); PARTS];
        let mut dropped = 0;
        for (resolved, repeats) in resolved {
            dropped += repeats;
            buffers.iter_mut().zip(resolved).for_each(|(buffer, mut lists)| buffer.lists.append(&mut lists));
        }
        (buffers, dropped)
    }

    /// Finds the host of a record and returns its part; `None` when the record only repeats traffic.
    fn resolve_record(&self, flow: &mut PackedFlow, forwarding: &mut HashSet<u32, FixedState>) -> Option<usize> {
        (flow.host, flow.remote) = (ranked(flow.host, &self.address_rank), ranked(flow.remote, &self.address_rank));
        self.see_from_host(flow, forwarding).then(|| part_of(address_of(flow.host, &self.addresses)))
    }

    /// Makes `host` the monitored side of a record. Returns false when the record only repeats traffic that another
    /// record of the same gateway shows better. Notes the ENI in `forwarding` if it forwards the record.
    fn see_from_host(&self, flow: &mut PackedFlow, forwarding: &mut HashSet<u32, FixedState>) -> bool {
        let entry = self.interfaces.of(flow);
        if self.is_forwarded(flow, entry) {
            // What the ENI forwards for is on its other side, whatever kind of ENI it is.
            forwarding.insert(self.interfaces.name(flow));
            flow.bits |= TRANSIT;
            flow.swap();
        } else if entry.is_gateway {
            // Of a gateway's four records per exchange, the inner leg names both true ends; the outer leg repeats it.
            if !flow.is(TRANSLATED) {
                return false;
            }
            if flow.is(CARRIED) && self.interfaces.carries(flow, address_of(flow.host, &self.addresses)) {
                // A secondary address of the gateway itself: the outer leg.
                return true;
            }
            flow.bits |= TRANSIT;
            if !self.is_internal(flow.host) && self.is_internal(flow.remote) {
                flow.swap();
            }
        } else if flow.is(UNDECIDED) {
            let remote_is_host = if entry.owns(flow.host) || entry.owns(flow.remote) {
                !entry.owns(flow.host)
            } else {
                !self.is_internal(flow.host) && self.is_internal(flow.remote)
            };
            if remote_is_host {
                flow.swap();
            }
        }
        true
    }

    /// Returns whether the end on the ENI's own side lies beyond the ENI: it is neither internal nor an address that
    /// the ENI can have.
    fn is_forwarded(&self, flow: &PackedFlow, entry: &InterfaceFacts) -> bool {
        if flow.is(CARRIED) {
            let address = address_of(flow.host, &self.addresses);
            // A multicast group is on the side of its members.
            let is_remote = !(self.is_internal)(address) && !address.is_local_scope();
            return is_remote && !self.interfaces.carries(flow, address);
        }
        // Without packet-level addresses, an ENI of a private address does not have a public one as well.
        entry.has_private_address
            && !flow.is(TRANSLATED | UNDECIDED)
            && !self.is_internal(flow.host)
            && self.is_internal(flow.remote)
    }
}
