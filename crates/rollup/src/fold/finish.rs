//! Finishes a unit: finds the host of every record, groups records by pair, folds them and builds the tables.

use super::group::{GroupKey, Grouped, IndexedRecords};
use super::pair_fold::{FoldCounts, PairFold};
use super::resolve_hosts::ResolvedPart;
use super::sort_records::RecordSorter;
use super::unit_facts::{
    CarrierNetwork, InterfaceFacts, InterfaceFactsList, TextRanks, UnitFacts, address_ranks, carrier_network, ranked,
};
use crate::counts::UnitCounts;
use crate::coverage::coverage_batch;
use crate::error::RollupError;
use crate::options::IsInternal;
use crate::pair_hours::PairHours;
use crate::pair_hours::lookup::LookupTables;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::stored_part::{SharedReservation, StoredPart};
use crate::unit::flow_file::FlowFile;
use crate::unit::interface::{Interface, VpcPrefix, vpc_prefix};
use crate::unit::interfaces::Interfaces;
use crate::unit::packed::{NO_SERVICE, PackedFlow, record_lists};
use crate::unit::record_buffer::Lists;
use crate::unit::unit_rollup::{CommittedObjects, UnitRollup};
use arrow::array::RecordBatch;
use flow::Address;
use memory::{Memory, Purpose, Reservation, SpillError};
use rayon::prelude::*;
use scan::{NONE, address_of};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

/// The tables of one finished unit.
#[derive(Debug, Clone)]
pub struct UnitTables {
    /// Rows of `pair_hours`.
    pub pair_hours: PairHours,
    /// Rows of `coverage`, sorted by ENI and hour.
    pub coverage: RecordBatch,
    /// Numbers of records by kind.
    pub counts: UnitCounts,
}

impl UnitRollup {
    /// Finishes the unit. `account` and `region` come from the path of the objects; they apply to records that name
    /// none.
    ///
    /// The result is the same for any order of objects and any number of threads.
    ///
    /// # Errors
    /// [`RollupError::Arrow`] when a table cannot be built, [`RollupError::Spill`] when what does not fit into memory
    /// cannot be written or read back.
    pub fn finish(
        self,
        account: Option<&str>,
        region: Option<&str>,
        is_internal: &IsInternal<'_>,
    ) -> Result<UnitTables, RollupError> {
        let CommittedObjects { parts, unresolved, interfaces, mut counts, mut held } =
            self.committed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let have_flow_logs = interfaces.have_flow_logs();
        let interfaces = interfaces.into_entries();
        let flows = self.flows;
        let memory = flows.memory().clone();
        let interned = self.interners.addresses.entries();
        let texts = self.interners.texts.entries();
        let (address_rank, addresses) = address_ranks(&interned);

        let text = |number: u32| texts.get(number as usize).map(String::as_str);
        let owner_of = |entry: &Interface| {
            (
                text(entry.texts.account.number).or(account).unwrap_or("unknown").to_owned(),
                text(entry.texts.region.number).or(region).unwrap_or("unknown").to_owned(),
            )
        };
        let mut owners: Vec<(String, String)> = interfaces.iter().map(|(_, entry)| owner_of(entry)).collect();
        owners.sort_unstable();
        owners.dedup();
        let ranks = TextRanks::new(&texts, interfaces.iter().map(|(name, _)| *name));
        let vpc_prefixes: BTreeSet<VpcPrefix> = (interfaces.iter())
            .filter(|(name, _)| !Interfaces::is_nameless(*name))
            .filter_map(|(_, entry)| entry.vpc_prefix(|code| address_of(code, &interned)))
            .collect();
        let facts_of = |(name, entry): &(u32, Interface)| {
            let named = !Interfaces::is_nameless(*name);
            // A dual-stack ENI has an address of each family, and uses one of them more.
            let own = |v4: bool| {
                let is_ours = |address| is_internal(address) || vpc_prefixes.contains(&vpc_prefix(address));
                let own = entry.own_address(v4, |code| address_of(code, &interned), is_ours);
                own.map_or(NONE, |code| ranked(code, &address_rank))
            };
            let facts = InterfaceFacts {
                owner: owners.binary_search(&owner_of(entry)).unwrap_or(0) as u32,
                name_rank: ranks.of(*name),
                window_s: entry.window_s(),
                is_gateway: named && entry.is_gateway(text(entry.texts.kind.number)),
                has_private_address: entry.has_private_address,
                own: if named { [own(true), own(false)] } else { [NONE; 2] },
            };
            (*name, facts)
        };
        let facts: Vec<(u32, InterfaceFacts)> = interfaces.iter().map(facts_of).collect();
        // One object may take a gateway for an instance while another has the fields to tell.
        let late_gateway =
            facts.iter().zip(&interfaces).any(|((_, facts), of)| facts.is_gateway && of.1.has_resolved_records);
        // Services are numbered by arrival. Where a pair has several, the choice goes by name.
        let services = self.services.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (service_rank, services) = services.ranked(&texts);
        let services = services.into_iter().map(str::to_owned).collect();
        let carrier_addresses = |entry: &Interface| {
            let mut addresses: Vec<Address> =
                entry.carrier_addresses.iter().map(|code| address_of(*code, &interned)).collect();
            addresses.sort_unstable();
            addresses
        };
        let carriers =
            interfaces.iter().filter(|(_, entry)| !entry.carrier_addresses.is_empty()).map(|(name, entry)| {
                let mut networks: Vec<CarrierNetwork> =
                    carrier_addresses(entry).into_iter().map(carrier_network).collect();
                networks.dedup();
                (*name, networks)
            });
        let facts = UnitFacts {
            late_gateway,
            one_owner: owners.len() == 1,
            interfaces: InterfaceFactsList::new(facts.into_iter(), have_flow_logs).with_carriers(carriers),
            address_rank,
            addresses,
            service_rank,
            is_internal,
        };
        let mut work = facts.resolve_all(parts, unresolved, &flows)?;
        counts.transit += work.dropped;
        let forwarding = facts.interfaces.forwarding();
        let forwards_as = |name: u32, entry: &Interface| forwarding.contains(&name).then(|| carrier_addresses(entry));
        let coverage = coverage_batch(&interfaces, &texts, owner_of, forwards_as)?;
        held.shrink_to(work.memory_bytes());
        // Parts that are large compared to the memory are folded one after the other.
        let most = memory.share(Purpose::Records) / (FOLD_BYTES * 4 * rayon::current_num_threads());
        let (large, small): (Vec<ResolvedPart>, Vec<ResolvedPart>) =
            work.parts.drain(..).partition(|part| part.is_spilled() && part.records() > most);
        let fold = |part: ResolvedPart| facts.fold_part(part, &flows);
        let mut folded = small.into_par_iter().map(fold).collect::<Result<Vec<FoldedPart>, SpillError>>()?;
        for part in large {
            folded.push(fold(part)?);
        }
        folded.sort_unstable_by_key(|part| part.part);
        for part in &folded {
            counts.rejected_probes += part.counts.probes;
            counts.transit += part.counts.transit;
            counts.doubled += part.counts.doubled;
        }
        let lookup = LookupTables { owners, names: ranks.sorted, services, addresses: facts.addresses };
        let mut kept = memory.reserve(Purpose::Hours);
        kept.grow(lookup.memory_bytes());
        let mut parts = Vec::with_capacity(folded.len());
        for part in folded {
            kept.join(part.held);
            parts.push(part.rows);
        }
        let pair_hours = PairHours { parts, lookup: Arc::new(lookup), held: SharedReservation::new(kept) };
        Ok(UnitTables { pair_hours, coverage, counts })
    }
}

/// Bytes that a record takes while its part is folded: the record, its sort key, and the number of its group.
const FOLD_BYTES: usize = size_of::<PackedFlow>() + size_of::<u128>() + size_of::<u32>();

/// Larger buffers of a thread are freed once a part is folded.
const MAX_KEPT_BYTES: usize = 16 << 20;

thread_local! {
    /// The kernel clears fresh memory page by page; the buffers of the last part are already mapped.
    static BUFFERS: RefCell<FoldBuffers> = RefCell::default();
}

/// Buffers for the fold of a part, which the next part uses again.
#[derive(Default)]
struct FoldBuffers {
    grouped: Grouped,
    sorter: RecordSorter,
    part: HourPart,
}

impl FoldBuffers {
    fn memory_bytes(&self) -> usize {
        self.grouped.memory_bytes() + self.part.memory_bytes()
    }
}

/// The rows of one part.
struct FoldedPart {
    part: usize,
    rows: StoredPart,
    held: Reservation,
    counts: FoldCounts,
}

impl UnitFacts<'_> {
    /// Folds one part and stores its rows in memory or on disk.
    fn fold_part(&self, part: ResolvedPart, flows: &FlowFile) -> Result<FoldedPart, SpillError> {
        let mut working = flows.memory().reserve(Purpose::Records);
        working.grow(part.records() * FOLD_BYTES);
        let at = part.part;
        let (lists, unranked) = self.read(part, flows)?;
        let (part, counts) = self.fold(lists, unranked, flows.memory());
        let mut held = flows.memory().reserve(Purpose::Hours);
        let rows = StoredPart::store(part, &mut held)?;
        Ok(FoldedPart { part: at, rows, held, counts })
    }

    /// Folds the records of one part, and counts those that have no row of their own. The remotes of the first
    /// `unranked` lists are still numbered by arrival.
    fn fold(&self, mut lists: Lists, unranked: usize, memory: &Memory) -> (HourPart, FoldCounts) {
        let mut buffers = BUFFERS.take();
        let FoldBuffers { grouped, sorter, part } = &mut buffers;
        grouped.group(&mut lists, |list, flow| {
            if list < unranked {
                flow.remote = ranked(flow.remote, &self.address_rank);
            }
            flow.service = self.service_rank.get(usize::from(flow.service)).copied().unwrap_or(NO_SERVICE);
            GroupKey::new(flow, if self.one_owner { 0 } else { self.interfaces.of(flow).owner })
        });
        let indexed = IndexedRecords::new(&lists);
        let is_external = |code: u32| {
            let address = address_of(code, &self.addresses);
            !(self.is_internal)(address) && !address.is_local_scope()
        };
        part.rows.clear();
        part.segments.clear();
        let mut fold = PairFold::new(&self.interfaces, &is_external, std::mem::take(part));
        let mut begin = 0;
        let mut last: Option<(GroupKey, usize)> = None;
        for (key, end) in &grouped.groups {
            let keys = &mut grouped.records[begin..*end];
            begin = *end;
            let records = sorter.sorted(keys, &indexed, |flow| self.interfaces.of(flow).name_rank);
            let rows = fold.enter_host(records);
            fold.fold(key, records);
            match last {
                Some((before, first)) if before.is_beside(key) => fold.sort_from(first),
                _ => last = Some((*key, rows)),
            }
        }
        fold.end_host();
        let counts = fold.counts;
        *part = fold.part;
        record_lists(memory).give(lists, memory.max_unused_bytes());
        let folded = HourPart { rows: part.rows.as_slice().to_vec(), segments: part.segments.as_slice().to_vec() };
        if buffers.memory_bytes() <= MAX_KEPT_BYTES {
            BUFFERS.set(buffers);
        }
        (folded, counts)
    }
}
