//! Derives what detections read from merged `pair_hours`: `pairs`, `hosts`, `host_hours` and `destinations`.
//!
//! All of them come from one walk over the merged pairs, made once per run and shared by every detection.

mod destinations;
mod hosts;
mod pairs;
mod walk;

use super::RollupError;
use super::fold::IsInternal;
use super::merge::Merger;
use super::pair_hours::PairHours;
use crate::flow::codes::Role;
use crate::flow::time::{DAY_S, HOUR_S};
use arrow::array::RecordBatch;
use rayon::prelude::*;

pub use hosts::HostFacts;

/// Pairs with fewer connections in the window keep no list of starts: no statistic judges them.
pub const MIN_STARTS: usize = 6;

/// History that it takes to call a pair new: what a shorter one has not seen may well be weekly business.
pub const FIRST_CONTACT_HISTORY_S: i64 = 7 * DAY_S;

/// The window that is judged, and the history before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First second of the window, a whole hour.
    pub from_s: i64,
    /// First second after the window, a whole hour.
    pub to_s: i64,
    /// First second of the baseline; equal to `from_s` when there is no history and the window is its own baseline.
    pub baseline_from_s: i64,
}

impl Window {
    /// Tells whether there is history before the window.
    pub fn has_history(&self) -> bool {
        self.baseline_from_s < self.from_s
    }

    /// Judges whether a pair is new: it is not when the history has it; it is when a history of at least
    /// [`FIRST_CONTACT_HISTORY_S`] has not; a shorter history cannot tell.
    pub fn first_contact(&self, in_baseline: bool) -> Option<bool> {
        match in_baseline {
            true => Some(false),
            false => (self.from_s - self.baseline_from_s >= FIRST_CONTACT_HISTORY_S).then_some(true),
        }
    }

    /// Length of the window in hours, at least 1.
    pub fn hours(&self) -> i64 {
        ((self.to_s - self.from_s) / HOUR_S).max(1)
    }
}

/// The derived tables of one run.
#[derive(Clone, Debug)]
pub struct Derived {
    /// host × remote × port × protocol × role over the window, in one or more batches.
    pub pairs: Vec<RecordBatch>,
    /// Hosts in the window, with their baseline.
    pub hosts: RecordBatch,
    /// host × hour of external bytes, over baseline and window.
    pub host_hours: RecordBatch,
    /// Remotes over baseline and window.
    pub destinations: RecordBatch,
}

/// Rows of `pair_hours` that make a shard worth its own table.
const SHARD_ROWS: usize = 1 << 16;

/// Derives the tables. `host_facts` gives what `coverage` knows of an ENI by name.
///
/// The result does not depend on the order of `tables` nor on the number of threads.
///
/// # Errors
/// [`RollupError::Arrow`] when a table cannot be built.
pub fn derive(
    tables: &[PairHours],
    window: &Window,
    is_internal: &IsInternal<'_>,
    host_facts: &(dyn Fn(&str) -> Option<HostFacts> + Sync),
) -> Result<Derived, RollupError> {
    let merger = Merger::new(tables);
    let monitored = walk::own_hosts(&merger);
    let internal = |code: u32| is_internal(merger.address(code)) || monitored.contains(&code);
    let shards = merger.shards(SHARD_ROWS);
    let mut walked: Vec<walk::Walked> =
        shards.into_par_iter().map(|shard| walk::walk(&merger, shard, window, &internal)).collect();
    let found = walked.iter_mut().map(|shard| std::mem::take(&mut shard.destinations)).collect();
    let destinations = destinations::Destinations::join(found);
    let clients = pairs::internal_clients(walked.iter().flat_map(|shard| &shard.pairs.records));
    let all_hosts: Vec<&hosts::HostRecord> = walked.iter().flat_map(|shard| &shard.hosts).collect();
    let counts = HostCounts::new(&all_hosts);
    let whole = pairs::Whole { merger: &merger, destinations: &destinations, clients: &clients, counts, window };
    let of_shard = |shard: &walk::Walked| pairs::pairs_batch(&shard.pairs, &whole);
    let pairs = || walked.par_iter().map(of_shard).collect::<Result<Vec<RecordBatch>, RollupError>>();
    let ((pairs, hosts), (host_hours, destinations)) = rayon::join(
        || rayon::join(pairs, || hosts::hosts_batch(&all_hosts, &merger, host_facts)),
        || rayon::join(|| hosts::host_hours_batch(&all_hosts, &merger, window), || destinations.batch(&merger, counts)),
    );
    Ok(Derived { pairs: pairs?, hosts: hosts?, host_hours: host_hours?, destinations: destinations? })
}

/// Distinct hosts, the whole that shares of prevalence are taken of. An address in two accounts counts once.
#[derive(Clone, Copy, Debug)]
struct HostCounts {
    /// Hosts that meet any remote.
    all: u64,
    /// Hosts that meet an external remote as a client.
    egress: u64,
}

impl HostCounts {
    /// Counts hosts; the records of one host stand together.
    fn new(hosts: &[&hosts::HostRecord]) -> Self {
        let mut counts = Self { all: 0, egress: 0 };
        for records in hosts.chunk_by(|a, b| a.host == b.host) {
            counts.all += 1;
            counts.egress += u64::from(records.iter().any(|record| record.external_remotes_ever > 0));
        }
        counts
    }

    /// The share that `hosts` are of those that could meet such a remote, 0 to 1.
    fn share(&self, hosts: u64, external: bool, role: Role) -> f64 {
        let whole = if external && role == Role::Client { self.egress } else { self.all };
        hosts as f64 / whole.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_history_calls_nothing_new() {
        let after = |days: i64| Window { from_s: 10 * DAY_S, to_s: 11 * DAY_S, baseline_from_s: (10 - days) * DAY_S };
        assert_eq!([0, 1, 6, 7].map(|days| after(days).first_contact(false)), [None, None, None, Some(true)]);
        assert_eq!(after(1).first_contact(true), Some(false));
    }
}
