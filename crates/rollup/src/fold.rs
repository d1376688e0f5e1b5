//! Finishes a unit: every record seen from its host, grouped by pair, folded and written as tables.

use super::coverage::coverage_batch;
use super::flow_file::FlowFile;
use super::group::{GroupKey, Grouped, Placed};
use super::interface::{Home, Interface, Interfaces, home_of};
use super::order::Sorter;
use super::packed::{NO_SERVICE, PackedFlow, record_lists};
use super::pair_hours::{Held, HourPart, HourWords, PairHours, Slot};
use super::peers::{InterfaceFacts, InterfaceFactsList, PairFold};
use super::settle::Settled;
use super::unit::{Content, Lists, UnitRollup};
use super::{RollupError, UnitCounts};
use arrow::array::RecordBatch;
use flow::Address;
use memory::{Memory, Purpose, Reservation, SpillError};
use rayon::prelude::*;
use scan::{FIRST_INTERNED, NONE, address_of};
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
    /// What the records were.
    pub counts: UnitCounts,
}

/// Which addresses the organisation monitors, as far as the rollup needs to know.
pub type IsInternal<'a> = dyn Fn(Address) -> bool + Sync + 'a;

/// Order of the names of ENIs: number to rank and back.
struct TextRanks {
    sorted: Vec<String>,
    rank: Vec<u32>,
}

impl TextRanks {
    /// Ranks the texts of some numbers, each of which may come several times; others stay without a rank.
    fn new(texts: &[String], numbers: impl Iterator<Item = u32>) -> Self {
        let mut order: Vec<u32> = numbers.filter(|number| (*number as usize) < texts.len()).collect();
        order.sort_unstable_by(|a, b| (&texts[*a as usize], a).cmp(&(&texts[*b as usize], b)));
        order.dedup();
        let mut rank = vec![NONE; texts.len()];
        for (at, number) in order.iter().enumerate() {
            rank[*number as usize] = at as u32;
        }
        let sorted = order.iter().map(|number| texts[*number as usize].clone()).collect();
        Self { sorted, rank }
    }

    fn of(&self, number: u32) -> u32 {
        self.rank.get(number as usize).copied().unwrap_or(NONE)
    }
}

/// What the fold of records needs to know of their unit.
pub(super) struct UnitFacts<'a> {
    pub(super) interfaces: InterfaceFactsList,
    /// All records are of owner 0.
    one_owner: bool,
    /// Some records of gateways stand with hosts yet.
    pub(super) late_gateway: bool,
    /// Place among the sorted addresses, by place in the book.
    pub(super) address_rank: Vec<u32>,
    /// Addresses that are not their own code, sorted.
    pub(super) addresses: Vec<Address>,
    service_rank: Vec<u16>,
    is_internal: &'a IsInternal<'a>,
}

impl UnitRollup {
    /// Finishes the unit. `account` and `region` are the layout's, for records that name none themselves.
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
        let Content { parts, unsettled, interfaces, mut counts, mut held } =
            self.content.into_inner().unwrap_or_else(PoisonError::into_inner);
        counts.doubled = interfaces.doubled();
        let interfaces = interfaces.into_entries();
        let flows = self.flows;
        let memory = flows.memory().clone();
        let booked = self.books.addresses.entries();
        let texts = self.books.texts.entries();
        let (address_rank, addresses) = address_ranks(&booked);

        let text = |number: u32| texts.get(number as usize).map(String::as_str);
        let owner_of = |entry: &Interface| {
            (
                text(entry.texts.account.text).or(account).unwrap_or("unknown").to_owned(),
                text(entry.texts.region.text).or(region).unwrap_or("unknown").to_owned(),
            )
        };
        let mut owners: Vec<(String, String)> = interfaces.iter().map(|(_, entry)| owner_of(entry)).collect();
        owners.sort_unstable();
        owners.dedup();
        let coverage = coverage_batch(&interfaces, &texts, owner_of)?;
        let ranks = TextRanks::new(&texts, interfaces.iter().map(|(name, _)| *name));
        let homes: BTreeSet<Home> = (interfaces.iter())
            .filter(|(name, _)| !Interfaces::is_nameless(*name))
            .filter_map(|(_, entry)| entry.home(|code| address_of(code, &booked)))
            .collect();
        let facts_of = |(name, entry): &(u32, Interface)| {
            let named = !Interfaces::is_nameless(*name);
            // A dual-stack ENI has an address of each family, and uses one of them more.
            let own = |v4: bool| {
                let ours = |address| is_internal(address) || homes.contains(&home_of(address));
                let own = entry.own_address(v4, |code| address_of(code, &booked), ours);
                own.map_or(NONE, |code| ranked(code, &address_rank))
            };
            let facts = InterfaceFacts {
                owner: owners.binary_search(&owner_of(entry)).unwrap_or(0) as u32,
                name_rank: ranks.of(*name),
                window_s: entry.window_s(),
                transit: named && entry.is_transit(text(entry.texts.kind.text)),
                own: if named { [own(true), own(false)] } else { [NONE; 2] },
            };
            (*name, facts)
        };
        let facts: Vec<(u32, InterfaceFacts)> = interfaces.iter().map(facts_of).collect();
        // One object may take a gateway for an instance, another knows better.
        let late_gateway = facts.iter().zip(&interfaces).any(|((_, facts), of)| facts.transit && of.1.settled);
        // Services are numbered by arrival; where a pair has several, the choice goes by name.
        let services = self.services.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (service_rank, services) = services.ranked(&texts);
        let services = services.into_iter().map(str::to_owned).collect();
        let facts = UnitFacts {
            late_gateway,
            one_owner: owners.len() == 1,
            interfaces: InterfaceFactsList::new(facts.into_iter()),
            address_rank,
            addresses,
            service_rank,
            is_internal,
        };
        let mut work = facts.settle_all(parts, unsettled, &flows)?;
        counts.transit += work.dropped;
        held.shrink_to(work.memory_bytes());
        // Parts that are large beside the room there is are folded one after the other.
        let most = memory.share(Purpose::Records) / (FOLD_BYTES * 4 * rayon::current_num_threads());
        let (large, small): (Vec<Settled>, Vec<Settled>) =
            work.parts.drain(..).partition(|part| part.is_spilled() && part.records() > most);
        let fold = |part: Settled| facts.fold_part(part, &flows);
        let mut folded = small.into_par_iter().map(fold).collect::<Result<Vec<FoldedPart>, SpillError>>()?;
        for part in large {
            folded.push(fold(part)?);
        }
        folded.sort_unstable_by_key(|part| part.part);
        counts.knocks += folded.iter().map(|part| part.knocks).sum::<u64>();
        let words = HourWords { owners, names: ranks.sorted, services, addresses: facts.addresses };
        let mut kept = memory.reserve(Purpose::Hours);
        kept.grow(words.memory_bytes());
        let mut parts = Vec::with_capacity(folded.len());
        for part in folded {
            kept.join(part.held);
            parts.push(part.slot);
        }
        let pair_hours = PairHours { parts, words: Arc::new(words), held: Held::new(kept) };
        Ok(UnitTables { pair_hours, coverage, counts })
    }
}

/// Gives each place of the book its rank by address, and the addresses by rank.
fn address_ranks(addresses: &[Address]) -> (Vec<u32>, Vec<Address>) {
    let mut order: Vec<u32> = (0..addresses.len() as u32).collect();
    order.sort_unstable_by_key(|place| addresses[*place as usize]);
    let mut rank = vec![0; addresses.len()];
    for (at, place) in order.iter().enumerate() {
        rank[*place as usize] = at as u32;
    }
    (rank, order.iter().map(|place| addresses[*place as usize]).collect())
}

/// The code whose order is that of the addresses.
#[inline]
pub(super) fn ranked(code: u32, address_rank: &[u32]) -> u32 {
    match code.checked_sub(FIRST_INTERNED) {
        None => code,
        Some(place) => FIRST_INTERNED + address_rank.get(place as usize).copied().unwrap_or(0),
    }
}

/// Bytes that a record takes while its part is folded: itself, its place in its group, and its group.
const FOLD_BYTES: usize = size_of::<PackedFlow>() + size_of::<u128>() + size_of::<u32>();

/// Larger buffers of a thread are let go when a part is folded.
const KEPT_BYTES: usize = 16 << 20;

thread_local! {
    /// Fresh memory is cleared by the kernel first, page by page; the buffers of the last part were touched before.
    static BUFFERS: RefCell<FoldBuffers> = RefCell::default();
}

/// What the fold of a part needs and the next part needs again.
#[derive(Default)]
struct FoldBuffers {
    grouped: Grouped,
    sorter: Sorter,
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
    slot: Slot,
    held: Reservation,
    knocks: u64,
}

impl UnitFacts<'_> {
    pub(super) fn is_internal(&self, code: u32) -> bool {
        (self.is_internal)(address_of(code, &self.addresses))
    }

    /// Folds one part and puts its rows where there is room.
    fn fold_part(&self, part: Settled, flows: &FlowFile) -> Result<FoldedPart, SpillError> {
        let mut working = flows.memory().reserve(Purpose::Records);
        working.grow(part.records() * FOLD_BYTES);
        let at = part.part;
        let (lists, unranked) = self.read(part, flows)?;
        let (part, knocks) = self.fold(lists, unranked, flows.memory());
        let mut held = flows.memory().reserve(Purpose::Hours);
        let slot = Slot::place(part, &mut held)?;
        Ok(FoldedPart { part: at, slot, held, knocks })
    }

    /// Folds the records of one part; also returns how many records are rejected knocks that were summed up. The remotes
    /// of the first `unranked` lists are numbered by arrival yet.
    fn fold(&self, mut lists: Lists, unranked: usize, memory: &Memory) -> (HourPart, u64) {
        let mut buffers = BUFFERS.take();
        let FoldBuffers { grouped, sorter, part } = &mut buffers;
        grouped.group(&mut lists, |list, flow| {
            if list < unranked {
                flow.remote = ranked(flow.remote, &self.address_rank);
            }
            flow.service = self.service_rank.get(usize::from(flow.service)).copied().unwrap_or(NO_SERVICE);
            GroupKey::new(flow, if self.one_owner { 0 } else { self.interfaces.of(flow).owner })
        });
        let placed = Placed::new(&lists);
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
            let records = sorter.sorted(keys, &placed, |flow| self.interfaces.of(flow).name_rank);
            let rows = fold.enter_host(records);
            fold.fold(key, records);
            match last {
                Some((before, first)) if before.is_beside(key) => fold.sort_from(first),
                _ => last = Some((*key, rows)),
            }
        }
        fold.end_host();
        let knocks = fold.knock_records;
        *part = fold.part;
        record_lists(memory).give(lists, memory.max_unused_bytes());
        let folded = HourPart { rows: part.rows.as_slice().to_vec(), segments: part.segments.as_slice().to_vec() };
        if buffers.memory_bytes() <= KEPT_BYTES {
            BUFFERS.set(buffers);
        }
        (folded, knocks)
    }
}
