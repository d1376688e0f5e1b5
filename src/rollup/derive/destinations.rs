//! The `destinations` table: every remote, by how many hosts it meets.

use super::HostCounts;
use super::pairs::{Ever, PairRecord, address_column, batch};
use super::walk::is_egress;
use crate::flow::codes::Role;
use crate::rollup::RollupError;
use crate::rollup::merge::Merger;
use arrow::array::{
    BooleanArray, Float64Array, RecordBatch, StringArray, TimestampSecondArray, UInt32Array, UInt64Array,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Debug)]
struct Destination {
    hosts: u64,
    last_host: u32,
    external: bool,
    connections: u64,
    bytes_out: u64,
    egress_bytes: u64,
    ports: Vec<u16>,
    first_s: u32,
    last_s: u32,
}

/// A remote by code, and the role of the hosts that meet it.
type RemoteKey = (u32, Role);

/// Parts that remotes are spread over, so that they merge in parallel.
const REMOTE_PARTS: usize = 64;

fn remote_part(remote: u32) -> usize {
    (remote.wrapping_mul(0x85eb_ca6b) >> (u32::BITS - REMOTE_PARTS.trailing_zeros())) as usize
}

/// Remotes by address and the role of the hosts that meet them.
#[derive(Clone, Debug)]
pub(super) struct Destinations(Vec<HashMap<RemoteKey, Destination, FixedState>>);

impl Default for Destinations {
    fn default() -> Self {
        Self(vec![HashMap::default(); REMOTE_PARTS])
    }
}

/// Distinct ports counted of one remote; more only matter as "many".
const PORTS_COUNTED: usize = 64;

impl Destinations {
    /// Adds a pair; the pairs of one host must come one after another.
    pub(super) fn add(&mut self, pair: &PairRecord, ever: &Ever) {
        let key = (pair.key.remote, pair.key.role);
        let entry = self.0[remote_part(key.0)].entry(key).or_insert_with(|| Destination {
            hosts: 0,
            last_host: !pair.key.host,
            external: pair.external,
            connections: 0,
            bytes_out: 0,
            egress_bytes: 0,
            ports: Vec::new(),
            first_s: u32::MAX,
            last_s: 0,
        });
        entry.hosts += u64::from(entry.last_host != pair.key.host);
        entry.last_host = pair.key.host;
        entry.connections += pair.connections;
        entry.bytes_out += ever.bytes_out;
        entry.egress_bytes += if is_egress(pair) { ever.bytes_out } else { 0 };
        entry.first_s = entry.first_s.min(ever.first_s);
        entry.last_s = entry.last_s.max(ever.last_s);
        entry.add_port(pair.key.port);
    }

    /// Bytes of memory that the remotes take.
    pub(super) fn memory_bytes(&self) -> usize {
        let entry = size_of::<(RemoteKey, Destination)>() + 1;
        let ports = |of: &Destination| of.ports.capacity() * size_of::<u16>();
        self.0.iter().map(|map| map.capacity() * entry + map.values().map(ports).sum::<usize>()).sum()
    }

    /// How many hosts meet a remote in a role, over baseline and window.
    pub(super) fn hosts(&self, remote: u32, role: Role) -> u64 {
        self.0[remote_part(remote)].get(&(remote, role)).map_or(0, |entry| entry.hosts)
    }

    /// Builds the table, sorted by remote and role.
    pub(super) fn batch(&self, merger: &Merger<'_>, counts: HostCounts) -> Result<RecordBatch, RollupError> {
        let mut rows: Vec<(RemoteKey, &Destination)> = self.0.iter().flatten().map(|(key, of)| (*key, of)).collect();
        rows.par_sort_unstable_by_key(|(key, _)| *key);
        let u64s = |pick: &dyn Fn(&Destination) -> u64| -> arrow::array::ArrayRef {
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, entry)| pick(entry))))
        };
        let times = |pick: &dyn Fn(&Destination) -> u32| -> arrow::array::ArrayRef {
            let seconds = TimestampSecondArray::from_iter_values(rows.iter().map(|(_, entry)| i64::from(pick(entry))));
            Arc::new(seconds.with_timezone("UTC"))
        };
        batch(
            "destinations",
            vec![
                ("remote", address_column(rows.iter().map(|(key, _)| merger.address(key.0)))?),
                ("role", Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| key.1.as_str())))),
                ("external", Arc::new(rows.iter().map(|(_, entry)| Some(entry.external)).collect::<BooleanArray>())),
                ("prevalence_hosts", u64s(&|entry| entry.hosts)),
                ("prevalence_share", {
                    let share =
                        |(key, entry): &(RemoteKey, &Destination)| counts.share(entry.hosts, entry.external, key.1);
                    Arc::new(Float64Array::from_iter_values(rows.iter().map(share)))
                }),
                ("connections", u64s(&|entry| entry.connections)),
                ("bytes_out", u64s(&|entry| entry.bytes_out)),
                ("egress_bytes", u64s(&|entry| entry.egress_bytes)),
                ("ports", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(_, e)| e.ports.len() as u32)))),
                ("first_seen", times(&|entry| entry.first_s)),
                ("last_seen", times(&|entry| entry.last_s)),
            ],
        )
    }
}

/// Remotes of all shards; shards are added from many threads, in any order.
#[derive(Debug)]
pub(super) struct JoinedDestinations(Vec<Mutex<HashMap<RemoteKey, Destination, FixedState>>>);

impl Default for JoinedDestinations {
    fn default() -> Self {
        Self((0..REMOTE_PARTS).map(|_| Mutex::default()).collect())
    }
}

impl JoinedDestinations {
    /// Adds what a shard found; shards share no host, so hosts add up.
    pub(super) fn add(&self, shard: Destinations) {
        for (joined, theirs) in self.0.iter().zip(shard.0).filter(|(_, theirs)| !theirs.is_empty()) {
            let mut joined = joined.lock().unwrap_or_else(PoisonError::into_inner);
            if joined.is_empty() {
                *joined = theirs;
                continue;
            }
            for (key, theirs) in theirs {
                match joined.entry(key) {
                    hashbrown::hash_map::Entry::Vacant(slot) => {
                        slot.insert(theirs);
                    }
                    hashbrown::hash_map::Entry::Occupied(mut slot) => slot.get_mut().join(theirs),
                }
            }
        }
    }

    /// The remotes of all shards that were added.
    pub(super) fn into_destinations(self) -> Destinations {
        Destinations(self.0.into_iter().map(|map| map.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
    }
}

impl Destination {
    fn join(&mut self, theirs: Destination) {
        self.hosts += theirs.hosts;
        self.connections += theirs.connections;
        self.bytes_out += theirs.bytes_out;
        self.egress_bytes += theirs.egress_bytes;
        self.first_s = self.first_s.min(theirs.first_s);
        self.last_s = self.last_s.max(theirs.last_s);
        theirs.ports.iter().for_each(|port| self.add_port(*port));
    }

    /// Keeps the lowest ports, so that the result does not depend on order.
    fn add_port(&mut self, port: u16) {
        if let Err(at) = self.ports.binary_search(&port)
            && at < PORTS_COUNTED
        {
            self.ports.insert(at, port);
            self.ports.truncate(PORTS_COUNTED);
        }
    }
}
