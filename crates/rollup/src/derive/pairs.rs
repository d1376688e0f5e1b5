//! The `pairs` table: host × remote × port × protocol × role over the window.

use super::columns::{address_column, batch, list, seconds};
use super::destinations::Destinations;
use super::interface_logs::InterfaceLogs;
use super::records::{Baseline, HostCounts, PairLists, PairRecord};
use crate::error::RollupError;
use crate::habits::Habits;
use crate::merge::Merger;
use crate::window::Window;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    StructArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, UInt8Type, UInt16Type, UInt32Type};
use flow::codes::Role;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::sync::Arc;

/// Internal pairs of hosts that acted as clients: host, remote, protocol and port of the service.
pub(crate) type InternalClients = HashSet<(u32, u32, u8, u16), FixedState>;

/// Adds the internal pairs of hosts that acted as clients.
pub(crate) fn note_internal_clients(pairs: &[PairRecord], clients: &mut InternalClients) {
    let internal = pairs.iter().filter(|pair| pair.key.role == Role::Client && !pair.external);
    clients.extend(internal.map(|pair| (pair.key.host, pair.key.remote, pair.key.protocol, pair.key.port)));
}

/// Builds the columns that a shard knows by itself, for some of its pairs. [`AllShards::complete`] adds the rest.
pub(crate) fn pairs_batch(
    shard: &PairLists,
    merger: &Merger<'_>,
    window: &Window,
    habits: &Habits,
) -> Result<RecordBatch, RollupError> {
    let pairs = &shard.records;
    let owner = |pair: &PairRecord| &merger.owners()[pair.key.owner as usize];
    let sample = |pair: &PairRecord| merger.names(pair.sample);
    let u64s = |pick: &dyn Fn(&PairRecord) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(pairs.iter().map(pick)))
    };
    let u32s = |pick: &dyn Fn(&PairRecord) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(pairs.iter().map(pick)))
    };
    let bools = |pick: &dyn Fn(&PairRecord) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from(pairs.iter().map(pick).collect::<Vec<bool>>()))
    };
    let times = |pick: &dyn Fn(&PairRecord) -> u32| -> ArrayRef {
        let seconds = TimestampSecondArray::from_iter_values(pairs.iter().map(|pair| i64::from(pick(pair))));
        Arc::new(seconds.with_timezone("UTC"))
    };
    let baseline = |pick: &dyn Fn(&Baseline) -> u64| -> ArrayRef {
        if !window.has_history() {
            return Arc::new(UInt64Array::new_null(pairs.len()));
        }
        let of = |pair: &PairRecord| pair.baseline.as_deref().map_or(0, pick);
        Arc::new(UInt64Array::from_iter_values(pairs.iter().map(of)))
    };
    let accounts = pairs.iter().map(|pair| owner(pair).0.as_str());
    let regions = pairs.iter().map(|pair| owner(pair).1.as_str());
    let size_fields: Fields =
        vec![Field::new("bucket", DataType::UInt16, false), Field::new("count", DataType::UInt32, false)].into();
    let size_values: Vec<ArrayRef> = vec![
        Arc::new(UInt16Array::from_iter_values(shard.sizes.iter().map(|size| size.0))),
        Arc::new(UInt32Array::from_iter_values(shard.sizes.iter().map(|size| size.1))),
    ];
    let size_values = StructArray::try_new(size_fields.clone(), size_values, None)
        .map_err(|source| RollupError::Arrow { table: "pairs", source })?;
    let starts_offsets = OffsetBuffer::from_lengths(pairs.iter().map(|pair| pair.starts as usize));
    let slow_offsets = OffsetBuffer::from_lengths(pairs.iter().map(|pair| pair.slow_starts as usize));
    let sizes_offsets = OffsetBuffer::from_lengths(pairs.iter().map(|pair| pair.sizes as usize));
    batch(
        "pairs",
        vec![
            ("account_id", Arc::new(StringArray::from_iter_values(accounts))),
            ("region", Arc::new(StringArray::from_iter_values(regions))),
            ("host", address_column(pairs.iter().map(|p| merger.address(p.key.host)))?),
            ("remote", address_column(pairs.iter().map(|p| merger.address(p.key.remote)))?),
            ("port", Arc::new(UInt16Array::from_iter_values(pairs.iter().map(|p| p.key.port)))),
            ("protocol", Arc::new(UInt8Array::from_iter_values(pairs.iter().map(|p| p.key.protocol)))),
            ("role", Arc::new(StringViewArray::from_iter_values(pairs.iter().map(|p| p.key.role.as_str())))),
            ("interface_id", Arc::new(pairs.iter().map(|p| sample(p).0).collect::<StringArray>())),
            ("aws_service", Arc::new(pairs.iter().map(|p| sample(p).1).collect::<StringViewArray>())),
            ("external", bools(&|p| p.external)),
            ("local_scope", bools(&|p| merger.address(p.key.remote).is_local_scope())),
            ("connections", u64s(&|p| p.connections)),
            ("records", u64s(&|p| p.records)),
            ("rejected", u64s(&|p| p.rejected)),
            ("bytes_out", u64s(&|p| p.bytes_out)),
            ("bytes_in", u64s(&|p| p.bytes_in)),
            ("packets_out", u64s(&|p| p.packets_out)),
            ("packets_in", u64s(&|p| p.packets_in)),
            ("max_hour_bytes_out", u64s(&|p| p.max_hour_bytes_out)),
            ("first_seen", times(&|p| p.first_s)),
            ("last_seen", times(&|p| p.last_s)),
            ("longest_s", u64s(&|p| p.longest_s.max(0) as u64)),
            ("active_hours", u32s(&|p| p.active_hours)),
            ("window_s", u32s(&|p| p.window_s)),
            ("baseline_hours", baseline(&|b| u64::from(b.hours))),
            ("baseline_connections", baseline(&|b| b.connections)),
            ("baseline_bytes_out", baseline(&|b| b.bytes_out)),
            ("baseline_max_hour_bytes_out", baseline(&|b| b.max_hour_bytes_out)),
            ("baseline_first_seen", seconds(pairs.iter().map(|p| p.baseline.as_ref().map(|b| b.first_s)).collect())),
            ("first_contact", {
                let first = |pair: &PairRecord| {
                    let met_s = pair.baseline.as_ref().map(|baseline| baseline.first_s);
                    let flagged = || {
                        habits.flagged_from_s(
                            owner(pair),
                            merger.address(pair.key.host),
                            merger.address(pair.key.remote),
                            (pair.key.port, pair.key.protocol),
                        )
                    };
                    let flagged_from_s = if met_s.is_none() || habits.none_flagged() { None } else { flagged() };
                    habits.first_contact(window, met_s, flagged_from_s)
                };
                Arc::new(pairs.iter().map(first).collect::<BooleanArray>())
            }),
            ("starts", {
                let values = Int64Array::from(shard.starts.clone());
                list(DataType::Int64, starts_offsets, Arc::new(values))?
            }),
            ("slow_starts", {
                let values = Int64Array::from(shard.slow_starts.clone());
                list(DataType::Int64, slow_offsets, Arc::new(values))?
            }),
            ("sizes", list(DataType::Struct(size_fields), sizes_offsets, Arc::new(size_values))?),
            (HOST_CODE, u32s(&|p| p.key.host)),
            (REMOTE_CODE, u32s(&|p| p.key.remote)),
        ],
    )
}

/// Columns of a shard's table that only serve to complete it.
const HOST_CODE: &str = "host_code";

const REMOTE_CODE: &str = "remote_code";

/// What a shard's table needs from the other shards.
pub(crate) struct AllShards<'a> {
    pub(crate) destinations: &'a Destinations,
    pub(crate) clients: &'a InternalClients,
    pub(crate) interfaces: &'a InterfaceLogs,
    pub(crate) counts: HostCounts,
}

impl AllShards<'_> {
    /// Adds to rows of [`pairs_batch`] the columns that take all shards.
    pub(crate) fn complete(&self, rows: &RecordBatch) -> Result<RecordBatch, RollupError> {
        let codes = |name: &str| rows[name].as_primitive::<UInt32Type>().values();
        let (hosts, remotes) = (codes(HOST_CODE), codes(REMOTE_CODE));
        let ports = rows["port"].as_primitive::<UInt16Type>().values();
        let protocols = rows["protocol"].as_primitive::<UInt8Type>().values();
        let external = rows["external"].as_boolean();
        let roles = rows["role"].as_string_view();
        let role = |row: usize| if roles.value(row) == Role::Server.as_str() { Role::Server } else { Role::Client };
        let count = rows.num_rows();
        // A client-role twin between the same two hosts shows the same traffic from the side that acts.
        let mirrored = |row: usize| {
            role(row) == Role::Server && self.clients.contains(&(remotes[row], hosts[row], protocols[row], ports[row]))
        };
        let prevalence: Vec<u64> = (0..count).map(|row| self.destinations.hosts(remotes[row], role(row))).collect();
        let addresses = (0..count).map(|row| self.destinations.addresses(remotes[row], role(row)));
        let addresses: Vec<u64> = addresses.collect();
        let share = |row: usize| self.counts.share(prevalence[row], external.value(row), role(row));
        let (on_grid, one_way) = self.interface_columns(rows["interface_id"].as_string());
        let schema = rows.schema();
        let mut columns: Vec<(&str, ArrayRef)> = Vec::with_capacity(rows.num_columns() + 4);
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            match field.name().as_str() {
                HOST_CODE | REMOTE_CODE => continue,
                "connections" => {
                    columns.push(("mirrored", Arc::new(BooleanArray::from_iter((0..count).map(mirrored).map(Some)))));
                }
                "baseline_hours" => {
                    columns.push(("on_grid", on_grid.clone()));
                    columns.push(("one_way", one_way.clone()));
                }
                "starts" => {
                    columns.push(("prevalence_hosts", Arc::new(UInt64Array::from(prevalence.clone()))));
                    let shares = Float64Array::from_iter_values((0..count).map(share));
                    columns.push(("prevalence_share", Arc::new(shares)));
                    columns.push(("prevalence_addresses", Arc::new(UInt64Array::from(addresses.clone()))));
                }
                _ => {}
            }
            columns.push((field.name(), column.clone()));
        }
        batch("pairs", columns)
    }

    /// Returns for each row whether the log of its ENI has times no finer than its windows, and one direction only.
    fn interface_columns(&self, interfaces: &StringArray) -> (ArrayRef, ArrayRef) {
        let mut logs = Vec::with_capacity(interfaces.len());
        // The pairs of an ENI mostly follow one another.
        let mut last = None;
        for name in interfaces {
            let log = match last {
                Some((known, log)) if known == name => log,
                _ => self.interfaces.of(name),
            };
            last = Some((name, log));
            logs.push(log);
        }
        let on_grid = logs.iter().map(|log| log.on_grid).collect::<BooleanArray>();
        let one_way = logs.iter().map(|log| Some(log.one_way)).collect::<BooleanArray>();
        (Arc::new(on_grid), Arc::new(one_way))
    }
}
