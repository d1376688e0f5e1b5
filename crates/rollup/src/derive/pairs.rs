//! The `pairs` table.

use super::destinations::Destinations;
use super::walk::Pairs;
use super::{HostCounts, Window};
use crate::RollupError;
use crate::merge::{Merger, NamesAt, PairKey};
use arrow::array::{
    ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array, ListArray, RecordBatch,
    StringArray, StringViewArray, StructArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, UInt8Type, UInt16Type, UInt32Type};
use flow::Address;
use flow::codes::Role;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::sync::Arc;

/// What the history before the window says of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Baseline {
    pub(super) hours: u32,
    pub(super) connections: u64,
    pub(super) bytes_out: u64,
    pub(super) max_hour_bytes_out: u64,
    pub(super) first_s: i64,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { hours: 0, connections: 0, bytes_out: 0, max_hour_bytes_out: 0, first_s: i64::MAX }
    }
}

/// What baseline and window together say of a pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ever {
    /// First packet's second since 1970, `u32::MAX` for none.
    pub(super) first_s: u32,
    pub(super) last_s: u32,
    pub(super) bytes_out: u64,
}

impl Default for Ever {
    fn default() -> Self {
        Self { first_s: u32::MAX, last_s: 0, bytes_out: 0 }
    }
}

/// One pair over the window, with its history.
#[derive(Clone, Debug)]
pub(super) struct PairRecord {
    pub(super) key: PairKey,
    /// A row that names ENI and service.
    pub(super) sample: NamesAt,
    pub(super) external: bool,
    /// There are starts enough for a statistic.
    pub(super) keeps_starts: bool,
    pub(super) connections: u64,
    pub(super) records: u64,
    pub(super) rejected: u64,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) packets_out: u64,
    pub(super) packets_in: u64,
    pub(super) max_hour_bytes_out: u64,
    pub(super) longest_s: i64,
    pub(super) segments_dropped: u64,
    pub(super) first_s: u32,
    pub(super) last_s: u32,
    pub(super) active_hours: u32,
    pub(super) window_s: u32,
    /// Number of starts in the shard's list.
    pub(super) starts: u32,
    /// Number of sizes in the shard's list.
    pub(super) sizes: u32,
    /// Number of starts in the shard's list of slow pairs.
    pub(super) slow_starts: u32,
    pub(super) baseline: Option<Box<Baseline>>,
}

impl PairRecord {
    pub(super) fn new(key: PairKey, sample: NamesAt, external: bool) -> Self {
        Self {
            key,
            sample,
            external,
            keeps_starts: false,
            connections: 0,
            records: 0,
            rejected: 0,
            bytes_out: 0,
            bytes_in: 0,
            packets_out: 0,
            packets_in: 0,
            max_hour_bytes_out: 0,
            longest_s: 0,
            segments_dropped: 0,
            first_s: u32::MAX,
            last_s: 0,
            active_hours: 0,
            window_s: 0,
            starts: 0,
            sizes: 0,
            slow_starts: 0,
            baseline: None,
        }
    }
}

pub(super) fn seconds(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampSecondArray::from(values).with_timezone("UTC"))
}

pub(super) fn address_column(values: impl Iterator<Item = Address>) -> Result<ArrayRef, RollupError> {
    let bytes: Vec<u8> = values.flat_map(Address::to_bytes).collect();
    let array = FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes), None);
    Ok(Arc::new(array.map_err(|error| RollupError::Arrow { table: "addresses", error })?))
}

/// Builds a table; fails with the table's name.
pub(super) fn batch(table: &'static str, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, RollupError> {
    let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(nullable).map_err(|error| RollupError::Arrow { table, error })
}

fn list(item: DataType, offsets: OffsetBuffer<i32>, values: ArrayRef) -> Result<ArrayRef, RollupError> {
    let list = ListArray::try_new(Arc::new(Field::new("item", item, false)), offsets, values, None);
    Ok(Arc::new(list.map_err(|error| RollupError::Arrow { table: "pairs", error })?))
}

/// Internal pairs of hosts that acted as clients: host, remote, protocol and port of the service.
pub(super) type InternalClients = HashSet<(u32, u32, u8, u16), FixedState>;

/// Notes the internal pairs of hosts that acted as clients.
pub(super) fn note_internal_clients(pairs: &[PairRecord], clients: &mut InternalClients) {
    let internal = pairs.iter().filter(|pair| pair.key.role == Role::Client && !pair.external);
    clients.extend(internal.map(|pair| (pair.key.host, pair.key.remote, pair.key.protocol, pair.key.port)));
}

/// Builds what a shard knows of some of its pairs by itself; [`Whole::complete`] adds the rest.
pub(super) fn pairs_batch(shard: &Pairs, merger: &Merger<'_>, window: &Window) -> Result<RecordBatch, RollupError> {
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
        .map_err(|error| RollupError::Arrow { table: "pairs", error })?;
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
                let first = |pair: &PairRecord| window.first_contact(pair.baseline.is_some());
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

/// What a shard's table needs from the others.
pub(super) struct Whole<'a> {
    pub(super) destinations: &'a Destinations,
    pub(super) clients: &'a InternalClients,
    pub(super) counts: HostCounts,
}

impl Whole<'_> {
    /// Adds to rows of [`pairs_batch`] what all shards together say of them.
    pub(super) fn complete(&self, rows: &RecordBatch) -> Result<RecordBatch, RollupError> {
        let codes = |name: &str| rows[name].as_primitive::<UInt32Type>().values();
        let (hosts, remotes) = (codes(HOST_CODE), codes(REMOTE_CODE));
        let ports = rows["port"].as_primitive::<UInt16Type>().values();
        let protocols = rows["protocol"].as_primitive::<UInt8Type>().values();
        let external = rows["external"].as_boolean();
        let roles = rows["role"].as_string_view();
        let role = |row: usize| if roles.value(row) == Role::Server.as_str() { Role::Server } else { Role::Client };
        let count = rows.num_rows();
        // A client-role twin between the same two hosts tells the same story from the side that acts.
        let mirrored = |row: usize| {
            role(row) == Role::Server && self.clients.contains(&(remotes[row], hosts[row], protocols[row], ports[row]))
        };
        let prevalence: Vec<u64> = (0..count).map(|row| self.destinations.hosts(remotes[row], role(row))).collect();
        let share = |row: usize| self.counts.share(prevalence[row], external.value(row), role(row));
        let schema = rows.schema();
        let mut columns: Vec<(&str, ArrayRef)> = Vec::with_capacity(rows.num_columns() + 1);
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            match field.name().as_str() {
                HOST_CODE | REMOTE_CODE => continue,
                "connections" => {
                    columns.push(("mirrored", Arc::new(BooleanArray::from_iter((0..count).map(mirrored).map(Some)))));
                }
                "starts" => {
                    columns.push(("prevalence_hosts", Arc::new(UInt64Array::from(prevalence.clone()))));
                    let shares = Float64Array::from_iter_values((0..count).map(share));
                    columns.push(("prevalence_share", Arc::new(shares)));
                }
                _ => {}
            }
            columns.push((field.name(), column.clone()));
        }
        batch("pairs", columns)
    }
}
