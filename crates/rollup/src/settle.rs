//! Settles a unit's records: who is the host where only the whole unit tells, and what only repeats traffic.

use super::flow_file::{FlowFile, Run};
use super::fold::{UnitFacts, ranked};
use super::packed::{LIST_RECORDS, PARTS, PackedFlow, TRANSIT, TRANSLATED, UNDECIDED, part_of, record_lists};
use super::unit::{Lists, Pile};
use memory::{Memory, Purpose, SpillError};
use rayon::prelude::*;
use scan::address_of;

/// The records of a unit, each in the part of its host.
#[derive(Debug, Default)]
pub(super) struct SettledUnit {
    pub(super) parts: Vec<Settled>,
    /// Records that only repeat traffic.
    pub(super) dropped: u64,
}

/// The records of one part.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) part: usize,
    /// Addresses are numbered by arrival; runs may have records of gateways, which were settled elsewhere.
    arrived: Pile,
    /// Addresses are numbered by rank.
    settled: Pile,
}

impl SettledUnit {
    /// Bytes of memory that the records take.
    pub(super) fn memory_bytes(&self) -> usize {
        let lists = self.parts.iter().flat_map(|part| part.arrived.lists.iter().chain(&part.settled.lists));
        lists.map(|list| list.capacity() * size_of::<PackedFlow>()).sum()
    }
}

impl Settled {
    /// Number of records, those of gateways included.
    pub(super) fn records(&self) -> usize {
        let records = |pile: &Pile| {
            pile.lists.iter().map(Vec::len).sum::<usize>() + pile.runs.iter().map(|run| run.records).sum::<usize>()
        };
        records(&self.arrived) + records(&self.settled)
    }

    /// Tells whether some records are on disk.
    pub(super) fn is_spilled(&self) -> bool {
        !(self.arrived.runs.is_empty() && self.settled.runs.is_empty())
    }
}

/// Settled records of one thread that wait to be written.
struct Waiting {
    lists: Vec<Vec<PackedFlow>>,
    records: usize,
    runs: Vec<(usize, Run)>,
    dropped: u64,
}

impl Waiting {
    fn write(&mut self, flows: &FlowFile) -> Result<(), SpillError> {
        for (part, list) in self.lists.iter_mut().enumerate().filter(|(_, list)| !list.is_empty()) {
            self.runs.push((part, flows.write(std::slice::from_ref(list))?));
            list.clear();
        }
        self.records = 0;
        Ok(())
    }
}

/// Records that are settled together at least, so that most of the lists that they begin are filled to a quarter.
const GROUP_RECORDS: usize = PARTS * LIST_RECORDS / 4;

/// Adds a record to the last of some lists, or begins another.
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
    /// Brings every record to the part of its host. Once some of a unit's records are on disk, those that are to be
    /// settled go there too.
    pub(super) fn settle_all(
        &self,
        mut arrived: Vec<Pile>,
        mut unsettled: Pile,
        flows: &FlowFile,
    ) -> Result<SettledUnit, SpillError> {
        let spilled = arrived.iter().chain([&unsettled]).any(|pile| !pile.runs.is_empty());
        let (settled, dropped) = if spilled {
            unsettled.spill(flows)?;
            let mut runs: Vec<(Run, bool)> = unsettled.runs.into_iter().map(|run| (run, false)).collect();
            if self.late_gateway {
                arrived.iter_mut().try_for_each(|pile| pile.spill(flows))?;
                runs.extend(arrived.iter().flat_map(|pile| &pile.runs).map(|run| (*run, true)));
            }
            self.settle_runs(&runs, flows)?
        } else {
            if self.late_gateway {
                let lists = arrived.par_iter_mut().flat_map_iter(|pile| &mut pile.lists);
                let of_gateways: Lists = lists.map(|list| self.take_gateways(list)).collect();
                unsettled.lists.extend(of_gateways);
            }
            self.settle(unsettled.lists, flows.memory())
        };
        let piles = arrived.into_iter().zip(settled).enumerate();
        let parts = piles.map(|(part, (arrived, settled))| Settled { part, arrived, settled }).collect();
        Ok(SettledUnit { parts, dropped })
    }

    /// Brings the records of a part into memory; also returns how many of the lists have addresses numbered by arrival.
    pub(super) fn read(&self, part: Settled, flows: &FlowFile) -> Result<(Lists, usize), SpillError> {
        let Settled { arrived, settled, .. } = part;
        let mut lists = arrived.lists;
        if !arrived.runs.is_empty() {
            let mut list = Vec::with_capacity(arrived.runs.iter().map(|run| run.records).sum());
            for run in arrived.runs {
                flows.read(run, |flow| {
                    if !(self.late_gateway && self.interfaces.of(&flow).transit) {
                        list.push(flow);
                    }
                })?;
            }
            lists.push(list);
        }
        let unranked = lists.len();
        lists.extend(settled.lists);
        if !settled.runs.is_empty() {
            let mut list = Vec::with_capacity(settled.runs.iter().map(|run| run.records).sum());
            settled.runs.into_iter().try_for_each(|run| flows.read(run, |flow| list.push(flow)))?;
            lists.push(list);
        }
        Ok((lists, unranked))
    }

    /// Settles records on disk: those of gateways only, where a run says so.
    fn settle_runs(&self, runs: &[(Run, bool)], flows: &FlowFile) -> Result<(Vec<Pile>, u64), SpillError> {
        let threads = rayon::current_num_threads().max(1);
        let share = flows.memory().share(Purpose::Records) / size_of::<PackedFlow>() / threads;
        let most = (share / 8).clamp(1, 1 << 18);
        let settle = |runs: &[(Run, bool)]| -> Result<Waiting, SpillError> {
            let mut waiting = Waiting { lists: vec![Vec::new(); PARTS], records: 0, runs: Vec::new(), dropped: 0 };
            for (run, gateways_only) in runs {
                for chunk in run.chunks() {
                    flows.read(chunk, |mut flow| {
                        if *gateways_only && !self.interfaces.of(&flow).transit {
                            return;
                        }
                        match self.settle_record(&mut flow) {
                            Some(part) => {
                                waiting.lists[part].push(flow);
                                waiting.records += 1;
                            }
                            None => waiting.dropped += u64::from(flow.records()),
                        }
                    })?;
                    if waiting.records >= most {
                        waiting.write(flows)?;
                    }
                }
            }
            waiting.write(flows)?;
            waiting.lists = Vec::new();
            Ok(waiting)
        };
        let length = runs.len().div_ceil(threads).max(1);
        let settled = runs.par_chunks(length).map(settle).collect::<Result<Vec<Waiting>, SpillError>>()?;
        let mut piles = vec![Pile::default(); PARTS];
        let mut dropped = 0;
        for waiting in settled {
            dropped += waiting.dropped;
            waiting.runs.into_iter().for_each(|(part, run)| piles[part].runs.push(run));
        }
        Ok((piles, dropped))
    }

    /// Takes the records of gateways out of a list.
    fn take_gateways(&self, list: &mut Vec<PackedFlow>) -> Vec<PackedFlow> {
        let mut taken = Vec::new();
        list.retain(|flow| {
            let stays = !self.interfaces.of(flow).transit;
            if !stays {
                taken.push(*flow);
            }
            stays
        });
        taken
    }

    /// Finds the hosts of records that only the whole unit tells; also returns how many only repeat traffic.
    fn settle(&self, mut lists: Lists, memory: &Memory) -> (Vec<Pile>, u64) {
        let records: usize = lists.iter().map(Vec::len).sum();
        let groups = (records / GROUP_RECORDS).clamp(1, rayon::current_num_threads());
        let most = memory.max_unused_bytes();
        let settle = |lists: &mut [Vec<PackedFlow>]| {
            let mut settled: Vec<Lists> = vec![Lists::new(); PARTS];
            let mut dropped = 0;
            let mut parts = Vec::new();
            for list in lists {
                // A record is copied some time after it was changed: at once, the copy would wait for the changes.
                parts.clear();
                parts.extend(list.iter_mut().map(|flow| self.settle_record(flow)));
                for (flow, part) in list.iter().zip(&parts) {
                    match part {
                        Some(part) => put(&mut settled[*part], flow, memory),
                        None => dropped += u64::from(flow.records()),
                    }
                }
                record_lists(memory).give([std::mem::take(list)], most);
            }
            (settled, dropped)
        };
        let length = lists.len().div_ceil(groups).max(1);
        let settled: Vec<(Vec<Lists>, u64)> = lists.par_chunks_mut(length).map(settle).collect();
        let mut piles = vec![Pile::default(); PARTS];
        let mut dropped = 0;
        for (settled, repeats) in settled {
            dropped += repeats;
            piles.iter_mut().zip(settled).for_each(|(pile, mut lists)| pile.lists.append(&mut lists));
        }
        (piles, dropped)
    }

    /// Finds the host of a record and returns its part; `None` when the record only repeats traffic.
    fn settle_record(&self, flow: &mut PackedFlow) -> Option<usize> {
        (flow.host, flow.remote) = (ranked(flow.host, &self.address_rank), ranked(flow.remote, &self.address_rank));
        self.see_from_host(flow).then(|| part_of(address_of(flow.host, &self.addresses)))
    }

    /// Makes `host` the monitored side of a record. Returns false when the record only repeats traffic that another
    /// record of the same gateway tells better.
    fn see_from_host(&self, flow: &mut PackedFlow) -> bool {
        let entry = self.interfaces.of(flow);
        if entry.transit {
            // Of a gateway's four records per exchange, the inner leg names both true ends; the outer leg repeats it.
            if !flow.is(TRANSLATED) {
                return false;
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
}
