//! Derives what detections read from merged `pair_hours`: `pairs`, `hosts`, `host_hours`, `destinations`, and where a
//! detection names them `services` and `host_days`.
//!
//! All of them come from one walk over the merged pairs, made once per run and shared by every detection.

mod destinations;
mod host_days;
mod hosts;
mod pairs;
mod services;
mod stored;
mod walk;
mod window;

use super::RollupError;
use super::fold::IsInternal;
use super::merge::Merger;
use super::pair_hours::PairHours;
use arrow::array::RecordBatch;
use flow::codes::Role;
use flow::time::{DAY_S, HOUR_S};
use memory::{Memory, Purpose, Reservation, SpillFile};
use rayon::prelude::*;

pub use host_days::MIN_DAYS;
pub use hosts::HostFacts;
use pairs::InternalClients;
use std::sync::{Arc, OnceLock};
pub use stored::{Stored, StoredTable};
pub use window::{BaselineKind, WindowOptions, choose_window};

/// Pairs with fewer connections in the window keep no list of starts: no statistic judges them.
pub const MIN_STARTS: usize = 6;

/// Of hosts' own calls to the outside fewer are kept: several remotes may be called as one.
pub const MIN_STARTS_OUTSIDE: usize = 2;

/// A pair with fewer connections in the window is slow: its history tells more than the window.
pub const SLOW_STARTS_A_WINDOW: u64 = 24;

/// Most connections in history and window together of a pair whose starts in both are kept.
pub const MOST_SLOW_STARTS: usize = 512;

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

/// Tables that only some detections read; what nobody wants is empty and costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Make `services`.
    pub services: bool,
    /// Make `host_days`; it stays empty when baseline and window span fewer than [`MIN_DAYS`].
    pub host_days: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self { services: true, host_days: true };

    fn within(self, window: &Window) -> Self {
        let days = (window.to_s - window.baseline_from_s) / DAY_S;
        Self { host_days: self.host_days && days >= MIN_DAYS, ..self }
    }
}

/// The derived tables of one run.
#[derive(Clone, Debug)]
pub struct Derived {
    /// host × remote × port × protocol × role over the window.
    pub pairs: StoredTable,
    /// Hosts in the window, with their baseline.
    pub hosts: RecordBatch,
    /// host × hour of external bytes, over baseline and window.
    pub host_hours: RecordBatch,
    /// Remotes over baseline and window.
    pub destinations: RecordBatch,
    /// Ports that hosts served to external remotes in the window.
    pub services: RecordBatch,
    /// host × day of bytes to rare remotes, over baseline and window.
    pub host_days: RecordBatch,
    /// What the tables take that always stay in memory.
    _held: Arc<Reservation>,
}

/// Rows of `pair_hours` that make a shard worth its own table.
const SHARD_ROWS: usize = 1 << 14;

/// Derives the tables, letting go of those they are made of on the way. `host_facts` gives what `coverage` knows of an ENI
/// by name; what does not fit into `memory` is spilled.
///
/// The result does not depend on the order of `tables`, on the number of threads nor on what is spilled.
///
/// # Errors
/// [`RollupError::Arrow`] when a table cannot be built, [`RollupError::Spill`] when what does not fit into memory cannot
/// be written or read back.
pub fn derive(
    mut tables: Vec<PairHours>,
    window: &Window,
    wanted: Wanted,
    is_internal: &IsInternal<'_>,
    host_facts: &(dyn Fn(&str) -> Option<HostFacts> + Sync),
    memory: &Memory,
) -> Result<Derived, RollupError> {
    let wanted = wanted.within(window);
    let merger = Merger::new(&mut tables);
    let monitored = walk::own_hosts(&merger);
    let internal = |code: u32| is_internal(merger.address(code)) || monitored.contains(&code);
    let joined = destinations::JoinedDestinations::default();
    let unfinished = Unfinished { memory, file: OnceLock::new() };
    let walk = |shard| {
        let (mut rows, mut clients) = (Vec::new(), InternalClients::default());
        let emit = |pairs: walk::Pairs| {
            pairs::note_internal_clients(&pairs.records, &mut clients);
            let batch = pairs::pairs_batch(&pairs, &merger, window)?;
            drop(pairs);
            rows.push(Stored::place(batch, memory.reserve(Purpose::Pairs), || unfinished.file())?);
            Ok(())
        };
        let walked = walk::walk(&merger, shard, window, wanted, &internal, emit)?;
        joined.add(walked.meetings);
        let mut held = memory.reserve(Purpose::Pairs);
        held.grow(walked.hosts.iter().map(hosts::HostRecord::memory_bytes).sum::<usize>());
        Ok(Shard { rows, clients, hosts: walked.hosts, held })
    };
    let shards = merger.shards(SHARD_ROWS).into_par_iter().map(walk).collect::<Result<Vec<Shard>, RollupError>>()?;
    let destinations = joined.into_destinations();
    let all_hosts: Vec<&hosts::HostRecord> = shards.iter().flat_map(|shard| &shard.hosts).collect();
    let mut joined_held = memory.reserve(Purpose::Pairs);
    joined_held.grow(destinations.memory_bytes());
    let counts = HostCounts::new(&all_hosts);
    let of_services = || {
        let services = all_hosts.iter().map(|host| (host.host, host.owner, &host.services));
        services::services_batch(services, &merger, window)
    };
    let of_days = || {
        // A host without noted uploads has days all the same: they say when it was there.
        let days = all_hosts.iter().filter(|_| wanted.host_days).map(|host| host.days(&merger));
        host_days::host_days_batch(days, &merger, &destinations, counts, window)
    };
    let ((host_hours, hosts), (remotes, (services, host_days))) = rayon::join(
        || {
            rayon::join(
                || hosts::host_hours_batch(&all_hosts, &merger, window),
                || hosts::hosts_batch(&all_hosts, &merger, host_facts),
            )
        },
        || rayon::join(|| destinations.batch(&merger, counts), || rayon::join(of_services, of_days)),
    );
    let (hosts, host_hours, remotes, services, host_days) = (hosts?, host_hours?, remotes?, services?, host_days?);
    let mut held = memory.reserve(Purpose::Pairs);
    held.grow(
        [&hosts, &host_hours, &remotes, &services, &host_days].iter().map(|table| table.get_array_memory_size()).sum(),
    );
    let mut clients = InternalClients::default();
    let mut unfinished_rows = Vec::with_capacity(shards.len());
    let mut done = Vec::with_capacity(shards.len());
    for shard in shards {
        clients.extend(shard.clients);
        unfinished_rows.extend(shard.rows);
        done.push((shard.hosts, shard.held));
    }
    let whole = pairs::Whole { destinations: &destinations, clients: &clients, counts };
    let complete = |rows: Stored| complete_rows(&rows, &whole, memory);
    // To let go of the hosts, each with its hours, takes a thread long enough to do it beside.
    let complete_all = || unfinished_rows.into_par_iter().map(complete).collect::<Result<Vec<_>, RollupError>>();
    let (pairs, ()) = rayon::join(complete_all, || drop(done));
    let pairs = StoredTable::new(pairs?);
    Ok(Derived { pairs, hosts, host_hours, destinations: remotes, services, host_days, _held: Arc::new(held) })
}

/// What the walk over one shard of hosts leaves.
struct Shard {
    /// Its pairs, one after the other.
    rows: Vec<Stored>,
    clients: InternalClients,
    hosts: Vec<hosts::HostRecord>,
    /// What the hosts take.
    held: Reservation,
}

/// The file of rows that are not complete yet, made when the first of them are spilled.
struct Unfinished<'a> {
    memory: &'a Memory,
    file: OnceLock<Arc<SpillFile>>,
}

impl Unfinished<'_> {
    fn file(&self) -> Result<Arc<SpillFile>, RollupError> {
        if let Some(file) = self.file.get() {
            return Ok(file.clone());
        }
        let made = Arc::new(self.memory.new_file()?);
        Ok(self.file.get_or_init(|| made).clone())
    }
}

/// Completes rows of a shard where they are.
fn complete_rows(rows: &Stored, whole: &pairs::Whole<'_>, memory: &Memory) -> Result<Stored, RollupError> {
    if let Stored::Kept { batch, held } = rows {
        return Ok(Stored::Kept { batch: whole.complete(batch)?, held: held.clone() });
    }
    let schema = whole.complete(&RecordBatch::new_empty(rows.schema()))?.schema();
    let batches = rows.read(None)?.map(|batch| whole.complete(&batch?));
    Stored::write(&schema, batches, memory.file()?)
}

/// Distinct hosts, the whole that shares of prevalence are taken of. An address in two accounts or regions is two hosts.
#[derive(Clone, Copy, Debug)]
struct HostCounts {
    /// Hosts that meet any remote.
    all: u64,
    /// Hosts that meet an external remote as a client.
    egress: u64,
}

impl HostCounts {
    fn new(hosts: &[&hosts::HostRecord]) -> Self {
        let egress = hosts.iter().filter(|record| record.external_remotes_ever > 0).count();
        Self { all: hosts.len() as u64, egress: egress as u64 }
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
