//! Finishes a unit: every record seen from its host, sorted, folded and written as tables.

use super::coverage::coverage_batch;
use super::interface::Interfaces;
use super::packed::{NO_SERVICE, PackedFlow, TRANSIT, TRANSLATED, UNDECIDED, is_some};
use super::pair_hours::{BatchTexts, pair_hours_batch};
use super::peers::{InterfaceFacts, PairFold};
use super::unit::{Content, UnitRollup};
use super::{RollupError, UnitCounts};
use crate::flow::Address;
use crate::scan::NONE;
use arrow::array::RecordBatch;
use rayon::prelude::*;
use std::sync::PoisonError;

/// The tables of one finished unit.
#[derive(Debug, Clone)]
pub struct UnitTables {
    /// Rows of `pair_hours`, sorted by key.
    pub pair_hours: RecordBatch,
    /// Rows of `coverage`, sorted by ENI and hour.
    pub coverage: RecordBatch,
    /// What the records were.
    pub counts: UnitCounts,
}

/// Which addresses the organisation monitors, as far as the rollup needs to know.
pub type IsInternal<'a> = dyn Fn(Address) -> bool + Sync + 'a;

/// Order of texts: number to rank and back.
struct TextRanks {
    sorted: Vec<String>,
    rank: Vec<u32>,
}

impl TextRanks {
    fn new(texts: Vec<String>) -> Self {
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.sort_unstable_by(|a, b| texts[*a as usize].cmp(&texts[*b as usize]));
        let mut rank = vec![0; texts.len()];
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

impl UnitRollup {
    /// Finishes the unit. `account` and `region` are the layout's, for records that name none themselves.
    ///
    /// The result is the same for any order of objects and any number of threads.
    ///
    /// # Errors
    /// [`RollupError::Arrow`] when a table cannot be built.
    pub fn finish(
        self,
        account: Option<&str>,
        region: Option<&str>,
        is_internal: &IsInternal<'_>,
    ) -> Result<UnitTables, RollupError> {
        let Content { mut parts, interfaces, services, mut counts } =
            self.content.into_inner().unwrap_or_else(PoisonError::into_inner);
        let addresses = self.books.addresses.entries();
        let texts = self.books.texts.entries();
        let internal: Vec<bool> = addresses.iter().map(|address| is_internal(*address)).collect();
        let (address_rank, sorted_addresses) = address_ranks(&addresses);

        let text = |number: u32| texts.get(number as usize).map(String::as_str);
        let owner_of = |entry: &super::interface::Interface| {
            (
                text(entry.texts.account).or(account).unwrap_or("unknown").to_owned(),
                text(entry.texts.region).or(region).unwrap_or("unknown").to_owned(),
            )
        };
        let mut owners: Vec<(String, String)> = interfaces.entries.iter().map(|(_, entry)| owner_of(entry)).collect();
        owners.sort_unstable();
        owners.dedup();
        let coverage = coverage_batch(&interfaces, &texts, owner_of)?;
        let ranks = TextRanks::new(texts.clone());
        let facts: Vec<InterfaceFacts> = interfaces
            .entries
            .iter()
            .map(|(name, entry)| InterfaceFacts {
                owner: owners.binary_search(&owner_of(entry)).unwrap_or(0) as u32,
                name_rank: ranks.of(*name),
                window_s: entry.window_s(),
                transit: !Interfaces::is_nameless(*name) && entry.is_transit(text(entry.texts.kind)),
                own: entry
                    .own_address(&addresses, &internal)
                    .filter(|_| !Interfaces::is_nameless(*name))
                    .unwrap_or(NONE),
            })
            .collect();

        // Services are numbered by arrival; where a pair has several, the choice goes by name.
        let (service_rank, services) = services.ranked(&texts);
        let folded: Vec<(PairFold, u64)> = parts
            .par_iter_mut()
            .map(|part| {
                let flows = std::mem::take(part);
                fold_part(flows, &facts, &internal, &address_rank, &service_rank)
            })
            .collect();
        counts.transit += folded.iter().map(|(_, dropped)| dropped).sum::<u64>();
        let folds: Vec<PairFold> = folded.into_iter().map(|(fold, _)| fold).collect();
        let names =
            BatchTexts { owners: &owners, addresses: &sorted_addresses, names: &ranks.sorted, services: &services };
        let pair_hours = pair_hours_batch(&folds, &names)?;
        Ok(UnitTables { pair_hours, coverage, counts })
    }
}

/// Gives each address number its rank, and the addresses by rank.
fn address_ranks(addresses: &[Address]) -> (Vec<u32>, Vec<Address>) {
    let mut order: Vec<u32> = (0..addresses.len() as u32).collect();
    order.par_sort_unstable_by_key(|number| addresses[*number as usize]);
    let mut rank = vec![0; addresses.len()];
    for (at, number) in order.iter().enumerate() {
        rank[*number as usize] = at as u32;
    }
    (rank, order.iter().map(|number| addresses[*number as usize]).collect())
}

/// Folds one part of a unit's records; also returns how many records only showed traffic a second time.
fn fold_part(
    mut flows: Vec<PackedFlow>,
    facts: &[InterfaceFacts],
    internal: &[bool],
    address_rank: &[u32],
    service_rank: &[u16],
) -> (PairFold, u64) {
    let before = flows.len();
    flows.retain_mut(|flow| see_from_host(flow, facts, internal));
    let dropped = (before - flows.len()) as u64;
    for flow in &mut flows {
        flow.host = address_rank[flow.host as usize];
        flow.remote = address_rank[flow.remote as usize];
        flow.service = service_rank.get(usize::from(flow.service)).copied().unwrap_or(NO_SERVICE);
    }
    let owner = |flow: &PackedFlow| facts[flow.interface as usize].owner;
    let peer = |flow: &PackedFlow| (owner(flow), flow.host, flow.remote, flow.protocol, flow.bits & TRANSIT);
    flows.sort_unstable_by_key(|flow| {
        let tuple = (flow.host_port, flow.remote_port, flow.start_s, flow.bits, flow.tcp_flags, flow.duration_s);
        let rest = (flow.bytes, flow.packets, facts[flow.interface as usize].name_rank, flow.service);
        (peer(flow), tuple, rest)
    });
    let mut fold = PairFold::default();
    for peers in flows.chunk_by(|a, b| peer(a) == peer(b)) {
        fold.fold(peers, facts, peers[0].bits & TRANSIT != 0);
    }
    (fold, dropped)
}

/// Makes `host` the monitored side of a record. Returns false when the record only repeats traffic that another
/// record of the same gateway tells better.
fn see_from_host(flow: &mut PackedFlow, facts: &[InterfaceFacts], internal: &[bool]) -> bool {
    let entry = &facts[flow.interface as usize];
    let is_internal = |address: u32| internal[address as usize];
    if entry.transit {
        // Of a gateway's four records per exchange, the inner leg names both true ends; the outer leg only repeats it.
        if !flow.is(TRANSLATED) {
            return false;
        }
        flow.bits |= TRANSIT;
        if !is_internal(flow.host) && is_internal(flow.remote) {
            flow.swap();
        }
    } else if flow.is(UNDECIDED) {
        let remote_is_host = if is_some(entry.own) && (flow.host == entry.own || flow.remote == entry.own) {
            flow.host != entry.own
        } else {
            !is_internal(flow.host) && is_internal(flow.remote)
        };
        if remote_is_host {
            flow.swap();
        }
    }
    true
}
