//! Finds the outside ENI of an appliance that translates addresses, where the log does not name instances.
//!
//! An appliance has an ENI on either side. The inside one is known by the packets of others. The outside one logs its own
//! address alone, like any host; but nearly each of its connections is one that the inside ENI also logs, in the same
//! second, of the same size and to the same remote.

use super::forwarder_codes::ForwarderCodes;
use super::gather_legs::gather;
use super::judge_legs::Pairing;
use super::legs::{Leg, Legs};
use super::merged_part::MergedTable;
use crate::pair_hours::row::Vantage;
use crate::pair_hours::stored_part::StoredPart;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use memory::{SpillError, lock};
use std::cmp::Reverse;
use std::sync::Mutex;

/// Fewest connections that show it. Fewer may coincide by chance.
const MIN_EXCHANGES: usize = 8;

/// Percent of the connections of either ENI that the other must have.
const MIN_PERCENT: usize = 80;

/// Up to so many rows, all remotes are examined; beyond, a share of them is enough.
const ROWS_WITHOUT_SAMPLING: usize = 1 << 20;

/// Returns the codes of the addresses of outside ENIs. `forwarded` are the codes of the remotes beyond.
///
/// # Errors
/// [`SpillError::Read`] when rows on disk cannot be read.
pub(super) fn outside_enis(
    tables: &[MergedTable<'_>],
    parts: &[Mutex<Vec<StoredPart>>],
    forwarders: &ForwarderCodes,
    forwarded: &HashSet<u32, FixedState>,
) -> Result<Vec<u32>, SpillError> {
    let mut found = Vec::new();
    if forwarders.alone.is_empty() {
        return Ok(found);
    }
    let rows = parts.iter().flat_map(|part| lock(part).iter().map(StoredPart::rows).collect::<Vec<_>>()).sum::<usize>();
    let share = rows / ROWS_WITHOUT_SAMPLING + 1;
    let is_sampled = |remote: u32| ((remote.wrapping_mul(0x9e37_79b1) >> 8) as usize).is_multiple_of(share);
    for alone in &forwarders.alone {
        let is_it = |table: usize, interface: u32| alone.get(table).is_some_and(|index| *index == Some(interface));
        let mut inner = gather(
            tables,
            parts,
            |_, stored| !stored.forwarded_remotes().is_empty(),
            |place, row| {
                let remote = tables[place.table].code(row.remote);
                let is_inner = row.vantage == Vantage::Transit && is_it(place.table, row.interface);
                is_inner && is_sampled(remote) && forwarded.contains(&remote)
            },
        )?;
        if inner.len() < MIN_EXCHANGES {
            continue;
        }
        let remotes: HashSet<u32, FixedState> = inner.remotes().collect();
        let hosts: HashSet<u32, FixedState> = inner.legs.iter().map(|leg| leg.host).collect();
        let mut others = gather(
            tables,
            parts,
            |_, _| true,
            |place, row| {
                let table = &tables[place.table];
                row.vantage != Vantage::Transit
                    && remotes.contains(&table.code(row.remote))
                    && !hosts.contains(&table.code(row.host))
            },
        )?;
        inner.sort();
        others.sort();
        found.extend(outside_of(&inner, &others));
    }
    Ok(found)
}

/// Returns the host whose connections are those of an inside ENI; `None` without any.
fn outside_of(inner: &Legs, others: &Legs) -> Option<u32> {
    let mut pairing = Pairing::default();
    // Host, its connections, and those of them that lie within.
    let mut tallies: Vec<(u32, usize, usize)> = Vec::new();
    for of_host in others.legs.chunk_by(|a, b| (a.peers, a.host) == (b.peers, b.host)) {
        pairing.pair_alike(of_host, Leg::among(&inner.legs, of_host[0].peers));
        tallies.push((of_host[0].host, of_host.len(), pairing.paired()));
    }
    tallies.sort_unstable();
    let sums = tallies.chunk_by(|a, b| a.0 == b.0).map(|of_host| {
        let sum = |pick: fn(&(u32, usize, usize)) -> usize| of_host.iter().map(pick).sum::<usize>();
        (of_host[0].0, sum(|tally| tally.1), sum(|tally| tally.2))
    });
    let is_enough = |some: usize, all: usize| some * 100 >= all * MIN_PERCENT;
    let (host, all, paired) = sums.max_by_key(|(host, _, paired)| (*paired, Reverse(*host)))?;
    (paired >= MIN_EXCHANGES && is_enough(paired, all) && is_enough(paired, inner.len())).then_some(host)
}
