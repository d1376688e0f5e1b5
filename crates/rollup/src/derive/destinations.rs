//! The `destinations` table: every remote, by how many hosts talk to it.

use super::columns::{address_column, batch};
use super::lives::{BoundedLives, HostCount};
use super::records::{HostCounts, PairLifetime, PairRecord, is_egress};
use crate::error::RollupError;
use crate::merge::Merger;
use arrow::array::{
    BooleanArray, Float64Array, RecordBatch, StringArray, TimestampSecondArray, UInt32Array, UInt64Array,
};
use flow::codes::Role;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use memory::lock;
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug)]
struct Destination {
    hosts: HostCount,
    /// Workloads among them, once all hosts are counted.
    workloads: u64,
    last_host: u32,
    /// Owners of the last host's address so far: different accounts and regions use the same private addresses.
    last_owner: u32,
    more_owners: Vec<u32>,
    external: bool,
    /// The only port, as long as `ports` is empty: most remotes have no other.
    port: u16,
    ports: Vec<u16>,
    connections: u64,
    bytes_out: u64,
    egress_bytes: u64,
    first_s: u32,
    last_s: u32,
}

/// A remote by code, and the role of the hosts that talk to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct RemoteKey {
    remote: u32,
    role: Role,
}

/// Parts that remotes are divided into, so that they merge in parallel.
const REMOTE_PARTS: usize = 64;

fn remote_part(remote: u32) -> usize {
    (remote.wrapping_mul(0x85eb_ca6b) >> (u32::BITS - REMOTE_PARTS.trailing_zeros())) as usize
}

/// One pair, seen from its remote.
#[derive(Clone, Copy, Debug)]
struct Meeting {
    remote: u32,
    host: u32,
    owner: u32,
    connections: u64,
    bytes_out: u64,
    first_s: u32,
    last_s: u32,
    port: u16,
    role: Role,
    external: bool,
}

/// The pairs of a shard of hosts, by the part of their remote.
#[derive(Debug)]
pub(crate) struct Meetings([Vec<Meeting>; REMOTE_PARTS]);

impl Default for Meetings {
    fn default() -> Self {
        Self([const { Vec::new() }; REMOTE_PARTS])
    }
}

impl Meetings {
    /// Adds a pair. The pairs of one host address must follow each other.
    pub(crate) fn add(&mut self, pair: &PairRecord, ever: &PairLifetime) {
        self.0[remote_part(pair.key.remote)].push(Meeting {
            remote: pair.key.remote,
            host: pair.key.host,
            owner: pair.key.owner,
            connections: pair.connections,
            bytes_out: ever.bytes_out,
            first_s: ever.first_s,
            last_s: ever.last_s,
            port: pair.key.port,
            role: pair.key.role,
            external: pair.external,
        });
    }
}

/// Most ports that are counted for a remote; more only mean "many".
const MAX_PORTS: usize = 64;

/// Remotes by address and the role of the hosts that talk to them.
#[derive(Debug)]
pub(crate) struct Destinations(Vec<HashMap<RemoteKey, Destination, FixedState>>);

impl Destinations {
    /// Returns the bytes of memory that the remotes take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let entry = size_of::<(RemoteKey, Destination)>() + 1;
        let lists = |of: &Destination| of.ports.capacity() * size_of::<u16>() + of.hosts.memory_bytes();
        self.0.iter().map(|map| map.capacity() * entry + map.values().map(lists).sum::<usize>()).sum()
    }

    fn of(&self, remote: u32, role: Role) -> Option<&Destination> {
        self.0[remote_part(remote)].get(&RemoteKey { remote, role })
    }

    /// Returns how many hosts talk to a remote in a role, over baseline and window. Addresses that follow one another
    /// count once.
    pub(crate) fn hosts(&self, remote: u32, role: Role) -> u64 {
        self.of(remote, role).map_or(0, |entry| entry.workloads)
    }

    /// Returns how many addresses those hosts had.
    pub(crate) fn addresses(&self, remote: u32, role: Role) -> u64 {
        self.of(remote, role).map_or(0, |entry| entry.hosts.addresses())
    }

    /// Builds the table, sorted by remote and role.
    pub(crate) fn batch(&self, merger: &Merger<'_>, counts: HostCounts) -> Result<RecordBatch, RollupError> {
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
                ("remote", address_column(rows.iter().map(|(key, _)| merger.address(key.remote)))?),
                ("role", Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| key.role.as_str())))),
                ("external", Arc::new(rows.iter().map(|(_, entry)| Some(entry.external)).collect::<BooleanArray>())),
                ("prevalence_hosts", u64s(&|entry| entry.workloads)),
                ("prevalence_addresses", u64s(&|entry| entry.hosts.addresses())),
                ("prevalence_share", {
                    let share = |(key, entry): &(RemoteKey, &Destination)| {
                        counts.share(entry.workloads, entry.external, key.role)
                    };
                    Arc::new(Float64Array::from_iter_values(rows.iter().map(share)))
                }),
                ("connections", u64s(&|entry| entry.connections)),
                ("bytes_out", u64s(&|entry| entry.bytes_out)),
                ("egress_bytes", u64s(&|entry| entry.egress_bytes)),
                (
                    "ports",
                    Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(_, e)| e.ports.len().max(1) as u32))),
                ),
                ("first_seen", times(&|entry| entry.first_s)),
                ("last_seen", times(&|entry| entry.last_s)),
            ],
        )
    }
}

/// The remotes of all shards. Shards are added from many threads, in any order.
#[derive(Debug)]
pub(crate) struct JoinedDestinations(Vec<Mutex<HashMap<RemoteKey, Destination, FixedState>>>);

impl Default for JoinedDestinations {
    fn default() -> Self {
        Self((0..REMOTE_PARTS).map(|_| Mutex::default()).collect())
    }
}

impl JoinedDestinations {
    /// Adds the meetings of a shard. Shards share no host, so their numbers of hosts add up.
    pub(crate) fn add(&self, shard: Meetings, lives: &BoundedLives) {
        for (joined, meetings) in self.0.iter().zip(shard.0).filter(|(_, meetings)| !meetings.is_empty()) {
            let mut joined = lock(joined);
            for meeting in meetings {
                let fresh = || Destination::new(&meeting);
                joined
                    .entry(RemoteKey { remote: meeting.remote, role: meeting.role })
                    .or_insert_with(fresh)
                    .add(&meeting, lives);
            }
        }
    }

    /// Returns the remotes of all shards that were added.
    pub(crate) fn into_destinations(self) -> Destinations {
        let counted = |map: Mutex<HashMap<RemoteKey, Destination, FixedState>>| {
            let mut map = map.into_inner().unwrap_or_else(PoisonError::into_inner);
            map.values_mut().for_each(|entry| entry.workloads = entry.hosts.workloads());
            map
        };
        Destinations(self.0.into_par_iter().map(counted).collect())
    }
}

impl Destination {
    fn new(meeting: &Meeting) -> Self {
        Self {
            hosts: HostCount::default(),
            workloads: 0,
            last_host: !meeting.host,
            last_owner: 0,
            more_owners: Vec::new(),
            external: meeting.external,
            port: meeting.port,
            ports: Vec::new(),
            connections: 0,
            bytes_out: 0,
            egress_bytes: 0,
            first_s: u32::MAX,
            last_s: 0,
        }
    }

    /// Returns whether a meeting is the first of its host, and remembers the host. A host is an address at an owner.
    fn is_new(&mut self, meeting: &Meeting) -> bool {
        if self.last_host != meeting.host {
            (self.last_host, self.last_owner) = (meeting.host, meeting.owner);
            self.more_owners.clear();
            return true;
        }
        let is_new = self.last_owner != meeting.owner && !self.more_owners.contains(&meeting.owner);
        if is_new {
            self.more_owners.push(meeting.owner);
        }
        is_new
    }

    /// Adds a meeting. Those of one host address follow each other.
    fn add(&mut self, meeting: &Meeting, lives: &BoundedLives) {
        if self.is_new(meeting) {
            self.hosts.add(lives.get(&(meeting.host, meeting.owner)));
        }
        self.connections += meeting.connections;
        self.bytes_out = self.bytes_out.saturating_add(meeting.bytes_out);
        let egress_bytes = if is_egress(meeting.external, meeting.role) { meeting.bytes_out } else { 0 };
        self.egress_bytes = self.egress_bytes.saturating_add(egress_bytes);
        self.first_s = self.first_s.min(meeting.first_s);
        self.last_s = self.last_s.max(meeting.last_s);
        self.add_port(meeting.port);
    }

    /// Keeps the lowest ports, so that the result does not depend on the order.
    fn add_port(&mut self, port: u16) {
        if self.ports.is_empty() {
            if port == self.port {
                return;
            }
            self.ports.push(self.port);
        }
        if let Err(at) = self.ports.binary_search(&port)
            && at < MAX_PORTS
        {
            self.ports.insert(at, port);
            self.ports.truncate(MAX_PORTS);
        }
    }
}
