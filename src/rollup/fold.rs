//! Finishes a unit: every record seen from its host, grouped by pair, folded and written as tables.

use super::coverage::coverage_batch;
use super::group::{GroupKey, Grouped, group};
use super::interface::{Interface, Interfaces};
use super::packed::{NO_SERVICE, PackedFlow, TRANSIT, TRANSLATED, UNDECIDED, is_some, part_of};
use super::pair_hours::{HourPart, HourWords, PairHours};
use super::peers::{InterfaceFacts, InterfaceFactsList, PairFold};
use super::unit::{Content, UnitRollup};
use super::{RollupError, UnitCounts};
use crate::flow::Address;
use crate::scan::{FIRST_BOOKED, NONE, address_of};
use arrow::array::RecordBatch;
use rayon::prelude::*;
use std::sync::PoisonError;

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

/// Order of texts: number to rank and back.
struct TextRanks {
    sorted: Vec<String>,
    rank: Vec<u32>,
}

impl TextRanks {
    fn new(texts: &[String]) -> Self {
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

/// What the fold of records needs to know of their unit.
struct UnitFacts<'a> {
    interfaces: InterfaceFactsList,
    /// All records are of owner 0.
    one_owner: bool,
    /// Place among the sorted addresses, by place in the book.
    address_rank: Vec<u32>,
    /// Addresses that are not their own code, sorted.
    addresses: Vec<Address>,
    service_rank: Vec<u16>,
    is_internal: &'a IsInternal<'a>,
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
        let Content { mut parts, mut unsettled, interfaces, mut counts } =
            self.content.into_inner().unwrap_or_else(PoisonError::into_inner);
        let booked = self.books.addresses.entries();
        let texts = self.books.texts.entries();
        let (address_rank, addresses) = address_ranks(&booked);

        let text = |number: u32| texts.get(number as usize).map(String::as_str);
        let owner_of = |entry: &Interface| {
            (
                text(entry.texts.account).or(account).unwrap_or("unknown").to_owned(),
                text(entry.texts.region).or(region).unwrap_or("unknown").to_owned(),
            )
        };
        let mut owners: Vec<(String, String)> = interfaces.entries.iter().map(|(_, entry)| owner_of(entry)).collect();
        owners.sort_unstable();
        owners.dedup();
        let coverage = coverage_batch(&interfaces, &texts, owner_of)?;
        let ranks = TextRanks::new(&texts);
        let facts_of = |(name, entry): &(u32, Interface)| {
            let named = !Interfaces::is_nameless(*name);
            let own = || entry.own_address(|code| address_of(code, &booked), is_internal);
            let facts = InterfaceFacts {
                owner: owners.binary_search(&owner_of(entry)).unwrap_or(0) as u32,
                name_rank: ranks.of(*name),
                window_s: entry.window_s() as u16,
                transit: named && entry.is_transit(text(entry.texts.kind)),
                own: if named { own().map_or(NONE, |code| ranked(code, &address_rank)) } else { NONE },
            };
            (*name, facts)
        };
        let facts: Vec<(u32, InterfaceFacts)> = interfaces.entries.iter().map(facts_of).collect();
        // One object may take a gateway for an instance, another knows better.
        let late_gateway = facts.iter().zip(&interfaces.entries).any(|((_, facts), of)| facts.transit && of.1.settled);
        // Services are numbered by arrival; where a pair has several, the choice goes by name.
        let services = self.services.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (service_rank, services) = services.ranked(&texts);
        let services = services.into_iter().map(str::to_owned).collect();
        let facts = UnitFacts {
            one_owner: owners.len() == 1,
            interfaces: InterfaceFactsList::new(facts.into_iter()),
            address_rank,
            addresses,
            service_rank,
            is_internal,
        };
        if late_gateway {
            let of_gateways: Vec<Vec<PackedFlow>> =
                parts.par_iter_mut().flatten_iter().map(|list| facts.take_gateways(list)).collect();
            unsettled.extend(of_gateways);
        }
        let unranked: Vec<usize> = parts.iter().map(Vec::len).collect();
        counts.transit += facts.settle(unsettled, &mut parts);
        let folded: Vec<(HourPart, u64)> =
            parts.into_par_iter().zip(unranked).map(|(lists, unranked)| facts.fold(lists, unranked)).collect();
        counts.knocks += folded.iter().map(|(_, knocks)| knocks).sum::<u64>();
        let words = HourWords { owners, names: ranks.sorted, services, addresses: facts.addresses };
        let pair_hours = PairHours { parts: folded.into_iter().map(|(part, _)| part).collect(), words };
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
fn ranked(code: u32, address_rank: &[u32]) -> u32 {
    match code.checked_sub(FIRST_BOOKED) {
        None => code,
        Some(place) => FIRST_BOOKED + address_rank.get(place as usize).copied().unwrap_or(0),
    }
}

impl UnitFacts<'_> {
    fn is_internal(&self, code: u32) -> bool {
        (self.is_internal)(address_of(code, &self.addresses))
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

    /// Finds the hosts of records that only the whole unit tells; returns how many records only repeat traffic.
    fn settle(&self, lists: Vec<Vec<PackedFlow>>, parts: &mut [Vec<Vec<PackedFlow>>]) -> u64 {
        let settled: Vec<(Vec<Vec<PackedFlow>>, u64)> = lists
            .into_par_iter()
            .map(|list| {
                let mut settled = vec![Vec::new(); parts.len()];
                let mut dropped = 0;
                for mut flow in list {
                    (flow.host, flow.remote) =
                        (ranked(flow.host, &self.address_rank), ranked(flow.remote, &self.address_rank));
                    if self.see_from_host(&mut flow) {
                        settled[part_of(address_of(flow.host, &self.addresses))].push(flow);
                    } else {
                        dropped += 1;
                    }
                }
                (settled, dropped)
            })
            .collect();
        let mut dropped = 0;
        for (settled, repeats) in settled {
            dropped += repeats;
            for (lists, list) in parts.iter_mut().zip(settled).filter(|(_, list)| !list.is_empty()) {
                lists.push(list);
            }
        }
        dropped
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
            let remote_is_host = if is_some(entry.own) && (flow.host == entry.own || flow.remote == entry.own) {
                flow.host != entry.own
            } else {
                !self.is_internal(flow.host) && self.is_internal(flow.remote)
            };
            if remote_is_host {
                flow.swap();
            }
        }
        true
    }

    /// Folds the records of one part; also returns how many records are rejected knocks that were summed up. The remotes
    /// of the first `unranked` lists are numbered by arrival yet.
    fn fold(&self, mut lists: Vec<Vec<PackedFlow>>, unranked: usize) -> (HourPart, u64) {
        let Grouped { mut flows, groups } = group(&mut lists, |list, flow| {
            if list < unranked {
                flow.remote = ranked(flow.remote, &self.address_rank);
            }
            flow.service = self.service_rank.get(usize::from(flow.service)).copied().unwrap_or(NO_SERVICE);
            GroupKey::new(flow, if self.one_owner { 0 } else { self.interfaces.of(flow).owner })
        });
        drop(lists);
        let is_external = |code: u32| {
            let address = address_of(code, &self.addresses);
            !(self.is_internal)(address) && !address.is_local_scope()
        };
        let mut fold = PairFold::new(&self.interfaces, &is_external);
        let mut begin = 0;
        let mut last: Option<(GroupKey, usize)> = None;
        for (key, end) in groups {
            let records = &mut flows[begin..end];
            begin = end;
            if records.len() > 1 {
                self.sort(records);
            }
            let rows = fold.enter_host(records);
            fold.fold(&key, records);
            match last {
                Some((before, first)) if before.is_beside(&key) => fold.sort_from(first),
                _ => last = Some((key, rows)),
            }
        }
        fold.end_host();
        let (mut part, knocks) = (fold.part, fold.knocks);
        part.rows.shrink_to_fit();
        part.segments.shrink_to_fit();
        (part, knocks)
    }

    /// Sorts the records of one pair by ports and start; of equals, by everything else.
    fn sort(&self, records: &mut [PackedFlow]) {
        let rest = |flow: &PackedFlow| {
            let name_rank = self.interfaces.of(flow).name_rank;
            (flow.bits, flow.tcp_flags, flow.duration_s, flow.bytes, flow.packets, name_rank, flow.service)
        };
        records.sort_unstable_by(|a, b| a.order().cmp(&b.order()).then_with(|| rest(a).cmp(&rest(b))));
    }
}
