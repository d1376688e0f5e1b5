//! The `destinations` table: every remote, by how many hosts it meets.

use super::HostCounts;
use super::pairs::{PairRecord, address_column, batch, seconds};
use super::walk::is_egress;
use crate::flow::Address;
use crate::flow::codes::Role;
use crate::rollup::RollupError;
use arrow::array::{BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Destination {
    hosts: u64,
    last_host: Option<Address>,
    external: bool,
    connections: u64,
    bytes_out: u64,
    egress_bytes: u64,
    ports: Vec<u16>,
    first_s: i64,
    last_s: i64,
}

/// Remotes by address and the role of the hosts that meet them.
#[derive(Clone, Debug, Default)]
pub(super) struct Destinations(HashMap<(Address, Role), Destination, FixedState>);

/// Distinct ports counted of one remote; more only matter as "many".
const PORTS_COUNTED: usize = 64;

impl Destinations {
    /// Adds a pair; the pairs of one host must come one after another.
    pub(super) fn add(&mut self, pair: &PairRecord) {
        let entry = self.0.entry((pair.key.remote, pair.key.role)).or_insert_with(|| Destination {
            hosts: 0,
            last_host: None,
            external: pair.external,
            connections: 0,
            bytes_out: 0,
            egress_bytes: 0,
            ports: Vec::new(),
            first_s: i64::MAX,
            last_s: i64::MIN,
        });
        entry.hosts += u64::from(entry.last_host != Some(pair.key.host));
        entry.last_host = Some(pair.key.host);
        entry.connections += pair.connections;
        entry.bytes_out += pair.ever_bytes_out;
        entry.egress_bytes += if is_egress(pair) { pair.ever_bytes_out } else { 0 };
        entry.first_s = entry.first_s.min(pair.ever_first_s);
        entry.last_s = entry.last_s.max(pair.ever_last_s);
        entry.add_port(pair.key.port);
    }

    /// Adds what another shard found; shards share no host, so hosts add up.
    pub(super) fn merge(&mut self, other: Destinations) {
        for (key, theirs) in other.0 {
            match self.0.entry(key) {
                hashbrown::hash_map::Entry::Vacant(slot) => {
                    slot.insert(theirs);
                }
                hashbrown::hash_map::Entry::Occupied(mut slot) => {
                    let mine = slot.get_mut();
                    mine.hosts += theirs.hosts;
                    mine.connections += theirs.connections;
                    mine.bytes_out += theirs.bytes_out;
                    mine.egress_bytes += theirs.egress_bytes;
                    mine.first_s = mine.first_s.min(theirs.first_s);
                    mine.last_s = mine.last_s.max(theirs.last_s);
                    theirs.ports.iter().for_each(|port| mine.add_port(*port));
                }
            }
        }
    }

    /// How many hosts meet a remote in a role, over baseline and window.
    pub(super) fn hosts(&self, remote: Address, role: Role) -> u64 {
        self.0.get(&(remote, role)).map_or(0, |entry| entry.hosts)
    }

    /// Builds the table, sorted by remote and role.
    pub(super) fn batch(&self, counts: HostCounts) -> Result<RecordBatch, RollupError> {
        let mut rows: Vec<(&(Address, Role), &Destination)> = self.0.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        let u64s = |pick: &dyn Fn(&Destination) -> u64| -> arrow::array::ArrayRef {
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, entry)| pick(entry))))
        };
        batch(
            "destinations",
            vec![
                ("remote", address_column(rows.iter().map(|(key, _)| &key.0))?),
                ("role", Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| key.1.as_str())))),
                ("external", Arc::new(rows.iter().map(|(_, entry)| Some(entry.external)).collect::<BooleanArray>())),
                ("prevalence_hosts", u64s(&|entry| entry.hosts)),
                ("prevalence_share", {
                    let share = |(key, entry): &(&(Address, Role), &Destination)| {
                        counts.share(entry.hosts, entry.external, key.1)
                    };
                    Arc::new(Float64Array::from_iter_values(rows.iter().map(share)))
                }),
                ("connections", u64s(&|entry| entry.connections)),
                ("bytes_out", u64s(&|entry| entry.bytes_out)),
                ("egress_bytes", u64s(&|entry| entry.egress_bytes)),
                ("ports", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(_, e)| e.ports.len() as u32)))),
                ("first_seen", seconds(rows.iter().map(|(_, entry)| Some(entry.first_s)).collect())),
                ("last_seen", seconds(rows.iter().map(|(_, entry)| Some(entry.last_s)).collect())),
            ],
        )
    }
}

impl Destination {
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
