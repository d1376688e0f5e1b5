//! Derives all tables in one walk over the merged pairs.

use super::destinations::JoinedDestinations;
use super::host_days::host_days_batch;
use super::host_record::HostRecord;
use super::hosts::{host_hours_batch, hosts_batch};
use super::interface_logs::InterfaceSums;
use super::lives::{BoundedLives, HostCount};
use super::options::Wanted;
use super::pairs::{AllShards, InternalClients, note_internal_clients, pairs_batch};
use super::records::{HostCounts, PairLists};
use super::services::services_batch;
use super::stored::{Stored, StoredTable};
use super::walk::{own_hosts, walk};
use crate::coverage::{Forwarders, HostFacts};
use crate::error::RollupError;
use crate::habits::Habits;
use crate::merge::Merger;
use crate::options::IsInternal;
use crate::pair_hours::PairHours;
use crate::window::Window;
use arrow::array::RecordBatch;
use flow::Address;
use memory::{Memory, Purpose, Reservation, SpillFile};
use rayon::prelude::*;
use std::sync::{Arc, OnceLock};

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
    /// Hosts that seem to forward for others, although no packet-level address tells so: all that internal clients send
    /// them leaves for external servers, on the same ports. Sorted.
    pub relays: Vec<Address>,
    /// ENIs whose logs have one direction only, as far as the pairs of the window tell. Sorted.
    pub one_way_interfaces: Vec<String>,
    /// Number of hosts that sent anything to external remotes as clients in the window. Addresses that follow one
    /// another count once, as in `prevalence_hosts`.
    pub egress_hosts: u64,
    /// Memory of the tables that always stay in memory.
    _held: Arc<Reservation>,
}

/// Rows of `pair_hours` that are enough for a shard.
const SHARD_ROWS: usize = 1 << 14;

/// What is known besides `pair_hours`.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The ENIs that forward for others.
    pub forwarders: &'a Forwarders,
    /// Returns what `coverage` knows of an ENI, by its name.
    pub host_facts: &'a (dyn Fn(&str) -> Option<HostFacts> + Sync),
    /// What makes a habit of a pair.
    pub habits: &'a Habits,
}

/// Derives the tables. Tables of `pair_hours` are freed on the way; what does not fit into `memory` is spilled.
///
/// The result does not depend on the order of `tables`, on the number of threads, or on what is spilled.
///
/// # Errors
/// [`RollupError::Arrow`] when a table cannot be built, [`RollupError::Spill`] when what does not fit into memory cannot
/// be written or read back.
pub fn derive(
    mut tables: Vec<PairHours>,
    window: &Window,
    wanted: Wanted,
    is_internal: &IsInternal<'_>,
    known: Known<'_>,
    memory: &Memory,
) -> Result<Derived, RollupError> {
    let Known { forwarders, host_facts, habits } = known;
    let wanted = wanted.within(window);
    let merger = Merger::new(&mut tables).without_outer_legs(forwarders, is_internal)?;
    let monitored = own_hosts(&merger);
    let internal = |code: u32| is_internal(merger.address(code)) || monitored.contains(&code);
    let joined = JoinedDestinations::default();
    let unfinished = Unfinished { memory, file: OnceLock::new() };
    let walk_shard = |shard| {
        let (mut rows, mut clients, mut interfaces) =
            (Vec::new(), InternalClients::default(), InterfaceSums::default());
        let emit = |pairs: PairLists| {
            note_internal_clients(&pairs.records, &mut clients);
            interfaces.add_pairs(&pairs.records, &merger);
            let batch = pairs_batch(&pairs, &merger, window, habits)?;
            drop(pairs);
            rows.push(Stored::store(batch, memory.reserve(Purpose::Pairs), || unfinished.file())?);
            Ok(())
        };
        let walked = walk(&merger, shard, window, wanted, &internal, emit)?;
        let bounded = |host: &HostRecord| {
            Some(((host.host, host.owner), host.life.bounded(window.baseline_from_s, window.to_s)?))
        };
        let lives: BoundedLives = walked.hosts.iter().filter_map(bounded).collect();
        joined.add(walked.meetings, &lives);
        let mut held = memory.reserve(Purpose::Pairs);
        held.grow(walked.hosts.iter().map(HostRecord::memory_bytes).sum::<usize>());
        Ok(Shard { rows, clients, interfaces, hosts: walked.hosts, held })
    };
    let shards =
        merger.shards(SHARD_ROWS).into_par_iter().map(walk_shard).collect::<Result<Vec<Shard<'_>>, RollupError>>()?;
    let destinations = joined.into_destinations();
    let all_hosts: Vec<&HostRecord> = shards.iter().flat_map(|shard| &shard.hosts).collect();
    let mut relays: Vec<Address> =
        all_hosts.iter().filter(|host| host.forwards()).map(|host| merger.address(host.host)).collect();
    relays.sort_unstable();
    relays.dedup();
    let mut joined_held = memory.reserve(Purpose::Pairs);
    joined_held.grow(destinations.memory_bytes());
    let workloads = |counts: &dyn Fn(&HostRecord) -> bool| {
        let mut count = HostCount::default();
        for host in all_hosts.iter().filter(|host| counts(host)) {
            count.add(host.life.bounded(window.baseline_from_s, window.to_s).as_ref());
        }
        count.workloads()
    };
    let egress = workloads(&|host| host.external_remotes_ever > 0);
    let counts = HostCounts { all: workloads(&|_| true), egress };
    let egress_hosts = workloads(&|host| host.destinations > 0);
    let of_services = || {
        let services = all_hosts.iter().map(|host| (host.host, host.owner, &host.services));
        services_batch(services, &merger, window)
    };
    let of_days = || {
        // A host without recorded uploads has days all the same: they show when it was there.
        let days = all_hosts.iter().filter(|_| wanted.host_days).map(|host| host.days(&merger));
        host_days_batch(days, &merger, &destinations, counts, window)
    };
    let ((host_hours, hosts), (remotes, (services, host_days))) = rayon::join(
        || {
            rayon::join(
                || host_hours_batch(&all_hosts, &merger, window),
                || hosts_batch(&all_hosts, &merger, host_facts),
            )
        },
        || rayon::join(|| destinations.batch(&merger, counts), || rayon::join(of_services, of_days)),
    );
    let (hosts, host_hours, remotes, services, host_days) = (hosts?, host_hours?, remotes?, services?, host_days?);
    let mut held = memory.reserve(Purpose::Pairs);
    held.grow(
        [&hosts, &host_hours, &remotes, &services, &host_days].iter().map(|table| table.get_array_memory_size()).sum(),
    );
    let (mut clients, mut interfaces) = (InternalClients::default(), InterfaceSums::default());
    let mut unfinished_rows = Vec::with_capacity(shards.len());
    let mut done = Vec::with_capacity(shards.len());
    for shard in shards {
        clients.extend(shard.clients);
        interfaces.add(shard.interfaces);
        unfinished_rows.extend(shard.rows);
        done.push((shard.hosts, shard.held));
    }
    let interfaces = interfaces.judge();
    let whole = AllShards { destinations: &destinations, clients: &clients, interfaces: &interfaces, counts };
    let complete = |rows: Stored| complete_rows(&rows, &whole, memory);
    // Dropping the hosts and their hours is slow, so another thread does it meanwhile.
    let complete_all = || unfinished_rows.into_par_iter().map(complete).collect::<Result<Vec<_>, RollupError>>();
    let (pairs, ()) = rayon::join(complete_all, || drop(done));
    let pairs = StoredTable::new(pairs?);
    Ok(Derived {
        pairs,
        hosts,
        host_hours,
        destinations: remotes,
        services,
        host_days,
        relays,
        one_way_interfaces: interfaces.one_way(),
        egress_hosts,
        _held: Arc::new(held),
    })
}

/// The result of the walk over one shard of hosts.
struct Shard<'a> {
    /// Its pairs, one after the other.
    rows: Vec<Stored>,
    clients: InternalClients,
    interfaces: InterfaceSums<'a>,
    hosts: Vec<HostRecord>,
    /// Memory of the hosts.
    held: Reservation,
}

/// The file for rows that are not complete yet. It is created when the first of them are spilled.
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

/// Completes the rows of a shard, in memory or on disk.
fn complete_rows(rows: &Stored, whole: &AllShards<'_>, memory: &Memory) -> Result<Stored, RollupError> {
    if let Stored::Kept { batch, held } = rows {
        return Ok(Stored::Kept { batch: whole.complete(batch)?, held: held.clone() });
    }
    let schema = whole.complete(&RecordBatch::new_empty(rows.schema()))?.schema();
    let batches = rows.read(None)?.map(|batch| whole.complete(&batch?));
    Stored::write(&schema, batches, memory.file()?)
}
