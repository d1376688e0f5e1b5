//! Whom the hosts of an incident reached after their own first sign, in the order of time, and who entered the first.
//!
//! A step a→b counts when a start of it is at or after the arrival at a; b is then reached at that start. Steps are
//! followed over two hops, and only where they open a path: a pair that had not met, or a management port, that was
//! answered. A service that many hosts use is one leaf and is never followed.

mod drawing;
mod outside;
#[cfg(test)]
mod tests;
mod walk;

use super::facts::{Facts, HostKey, PairFact};
use super::model::Incident;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use walk::Walk;

/// Hops that are walked.
pub const MAX_HOPS: u8 = 2;

/// New nodes of an incident in one hop; the others are counted in `left_out`.
pub const MAX_NEW_NODES: usize = 200;

/// Nodes of a graph; the others are counted in `left_out`.
pub const MAX_LISTED: usize = 200;

/// Nodes that a picture shows: the first so many.
pub const MAX_DRAWN: usize = 50;

/// Hosts whose pairs are asked for in a hop, of all incidents together: those of the first incidents.
pub const MAX_ASKED: usize = 5_000;

/// Computes the graph of each incident. Incidents come in the order of their rank: where too many hosts were reached, the
/// second hop of the last ones is left out, and counted as `second_hop`.
///
/// `more_pairs` returns the pairs of hosts that `facts` does not have, by host: all of them, or those inside alone. It is
/// called for hosts of incidents, which have few, and once for what the first hop reached; each time for all incidents
/// together.
///
/// # Errors
/// Those of `more_pairs`.
pub fn graphs<E>(
    incidents: &mut [Incident],
    facts: &Facts,
    mut more_pairs: impl FnMut(&BTreeSet<HostKey>, Asked) -> Result<BTreeMap<HostKey, Vec<PairFact>>, E>,
) -> Result<(), E> {
    let mut known = KnownPairs::of(facts);
    // A lone host without pairs was left out when pairs were read, as others come first.
    let joined = incidents.iter().filter(|incident| incident.hosts.len() > 1);
    known.ask(joined.flat_map(walk::host_keys).collect(), Asked::All, &mut more_pairs)?;
    let mut walks: Vec<Walk> = incidents.par_iter().map(|incident| Walk::begin(incident, &known)).collect();
    for hop in 1..=MAX_HOPS {
        walks.par_iter_mut().for_each(|walk| walk.go(hop, &known));
        if hop < MAX_HOPS {
            let mut asked = BTreeSet::new();
            for walk in &mut walks {
                walk.ask_for(&mut asked);
            }
            // Of hosts of an incident, what they met outside is drawn.
            let involved: HashSet<&HostKey> = walks.iter().flat_map(|walk| walk.involved.keys()).collect();
            let (involved, others) = asked.into_iter().partition(|host| involved.contains(host));
            known.ask(involved, Asked::All, &mut more_pairs)?;
            known.ask(others, Asked::Inside, &mut more_pairs)?;
        }
    }
    incidents.par_iter_mut().zip(walks).for_each(|(incident, walk)| {
        incident.graph = drawing::graph(incident, walk, &known);
    });
    // Many small pieces, given back beside what follows.
    let more = known.more;
    rayon::spawn(move || drop(more));
    Ok(())
}

/// Returns when each host of an incident was compromised: its own first sign, or earlier where another of them entered it.
pub(super) fn arrivals(incident: &Incident, facts: &Facts) -> BTreeMap<HostKey, i64> {
    Walk::begin(incident, &KnownPairs::of(facts)).involved
}

/// Which pairs of hosts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All of them.
    All,
    /// Those with inside remotes.
    Inside,
}

/// The pairs of a run as far as they have been asked for.
struct KnownPairs<'a> {
    facts: &'a Facts,
    more: BTreeMap<HostKey, Vec<PairFact>>,
}

impl<'a> KnownPairs<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self { facts, more: BTreeMap::new() }
    }

    fn ask<E>(
        &mut self,
        mut hosts: BTreeSet<HostKey>,
        asked: Asked,
        more_pairs: &mut impl FnMut(&BTreeSet<HostKey>, Asked) -> Result<BTreeMap<HostKey, Vec<PairFact>>, E>,
    ) -> Result<(), E> {
        hosts.retain(|host| !self.facts.pairs.contains_key(host) && !self.more.contains_key(host));
        if hosts.is_empty() {
            return Ok(());
        }
        let mut pairs = more_pairs(&hosts, asked)?;
        // Who has no pair is not asked for again.
        self.more.extend(hosts.into_iter().map(|host| {
            let of_host = pairs.remove(&host).unwrap_or_default();
            (host, of_host)
        }));
        Ok(())
    }

    fn of_host(&self, host: &HostKey) -> &[PairFact] {
        match self.more.get(host) {
            Some(pairs) => pairs,
            None => self.facts.pairs_of(host),
        }
    }
}
