//! The `pairs` table.

use super::destinations::Destinations;
use super::{HostCounts, Window};
use crate::rollup::RollupError;
use crate::rollup::merge::{Merger, PairKey, RowAt};
use arrow::array::Int64Array;
use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use rayon::prelude::*;
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

/// One pair over the window, with its history.
#[derive(Clone, Debug)]
pub(super) struct PairRecord {
    pub(super) key: PairKey,
    /// A row that names ENI and service.
    pub(super) sample: RowAt,
    pub(super) external: bool,
    pub(super) connections: u64,
    pub(super) records: u64,
    pub(super) rejected: u64,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) packets_out: u64,
    pub(super) packets_in: u64,
    pub(super) max_hour_bytes_out: u64,
    pub(super) first_s: i64,
    pub(super) last_s: i64,
    pub(super) longest_s: i64,
    pub(super) active_hours: u32,
    pub(super) window_s: u32,
    pub(super) segments_dropped: u64,
    pub(super) starts: Box<[i64]>,
    pub(super) sizes: Box<[(u16, u32)]>,
    pub(super) baseline: Option<Baseline>,
    /// Over baseline and window.
    pub(super) ever_first_s: i64,
    /// Over baseline and window.
    pub(super) ever_last_s: i64,
    /// Over baseline and window.
    pub(super) ever_bytes_out: u64,
}

impl PairRecord {
    pub(super) fn new(key: PairKey, sample: RowAt, external: bool) -> Self {
        Self {
            key,
            sample,
            external,
            connections: 0,
            records: 0,
            rejected: 0,
            bytes_out: 0,
            bytes_in: 0,
            packets_out: 0,
            packets_in: 0,
            max_hour_bytes_out: 0,
            first_s: i64::MAX,
            last_s: i64::MIN,
            longest_s: 0,
            active_hours: 0,
            window_s: 0,
            segments_dropped: 0,
            starts: Box::default(),
            sizes: Box::default(),
            baseline: None,
            ever_first_s: i64::MAX,
            ever_last_s: i64::MIN,
            ever_bytes_out: 0,
        }
    }
}

pub(super) fn seconds(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampSecondArray::from(values).with_timezone("UTC"))
}

pub(super) fn address_column<'a>(
    values: impl Iterator<Item = &'a crate::flow::Address>,
) -> Result<ArrayRef, RollupError> {
    let mut builder = arrow::array::FixedSizeBinaryBuilder::new(16);
    for address in values {
        builder.append_value(address.to_bytes()).map_err(|error| RollupError::Arrow { table: "addresses", error })?;
    }
    let array: FixedSizeBinaryArray = builder.finish();
    Ok(Arc::new(array))
}

/// Builds a table; fails with the table's name.
pub(super) fn batch(table: &'static str, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, RollupError> {
    let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(nullable).map_err(|error| RollupError::Arrow { table, error })
}

fn list(item: DataType, offsets: OffsetBuffer<i32>, values: ArrayRef) -> ArrayRef {
    Arc::new(ListArray::new(Arc::new(Field::new("item", item, false)), offsets, values, None))
}

/// Builds one column when it is asked to.
type Column<'a> = Box<dyn Fn() -> Result<ArrayRef, RollupError> + Send + Sync + 'a>;

fn column<'a>(build: impl Fn() -> Result<ArrayRef, RollupError> + Send + Sync + 'a) -> Column<'a> {
    Box::new(build)
}

pub(super) fn pairs_batch(
    pairs: &[&PairRecord],
    merger: &Merger<'_>,
    destinations: &Destinations,
    counts: HostCounts,
    window: &Window,
) -> Result<RecordBatch, RollupError> {
    let owner = |pair: &PairRecord| &merger.owners()[pair.key.owner as usize];
    let u64s = |pick: &dyn Fn(&PairRecord) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(pairs.iter().map(|pair| pick(pair))))
    };
    let u32s = |pick: &dyn Fn(&PairRecord) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(pairs.iter().map(|pair| pick(pair))))
    };
    let baseline = |pick: &dyn Fn(&Baseline) -> u64| -> ArrayRef {
        let has_history = window.has_history();
        let of = |pair: &&PairRecord| has_history.then(|| pair.baseline.as_ref().map_or(0, pick));
        Arc::new(pairs.iter().map(of).collect::<UInt64Array>())
    };
    let words = |words: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(words)) };
    let prevalence: Vec<u64> = pairs.par_iter().map(|p| destinations.hosts(p.key.remote, p.key.role)).collect();
    // A client-role twin between the same two hosts tells the same story from the side that acts.
    let mirrored = || -> BooleanArray {
        let mut clients: Vec<_> = pairs
            .iter()
            .filter(|p| p.key.role == crate::flow::codes::Role::Client && !p.external)
            .map(|p| (p.key.host, p.key.remote, p.key.protocol, p.key.port))
            .collect();
        clients.sort_unstable();
        let twin = |p: &&PairRecord| {
            let key = (p.key.remote, p.key.host, p.key.protocol, p.key.port);
            p.key.role == crate::flow::codes::Role::Server && clients.binary_search(&key).is_ok()
        };
        pairs.iter().map(|p| Some(twin(p))).collect()
    };
    let size_fields: Fields =
        vec![Field::new("bucket", DataType::UInt16, false), Field::new("count", DataType::UInt32, false)].into();
    let size_values = || {
        StructArray::new(
            size_fields.clone(),
            vec![
                Arc::new(UInt16Array::from_iter_values(pairs.iter().flat_map(|p| p.sizes.iter().map(|s| s.0)))),
                Arc::new(UInt32Array::from_iter_values(pairs.iter().flat_map(|p| p.sizes.iter().map(|s| s.1)))),
            ],
            None,
        )
    };
    let columns: Vec<(&str, Column<'_>)> = vec![
        ("account_id", column(|| Ok(words(pairs.iter().map(|p| Some(owner(p).0.as_str())).collect())))),
        ("region", column(|| Ok(words(pairs.iter().map(|p| Some(owner(p).1.as_str())).collect())))),
        ("host", column(|| address_column(pairs.iter().map(|p| &p.key.host)))),
        ("remote", column(|| address_column(pairs.iter().map(|p| &p.key.remote)))),
        ("port", column(|| Ok(Arc::new(UInt16Array::from_iter_values(pairs.iter().map(|p| p.key.port)))))),
        ("protocol", column(|| Ok(Arc::new(UInt8Array::from_iter_values(pairs.iter().map(|p| p.key.protocol)))))),
        ("role", column(|| Ok(words(pairs.iter().map(|p| Some(p.key.role.as_str())).collect())))),
        (
            "interface_id",
            column(|| Ok(words(pairs.iter().map(|p| merger.table(p.sample).interface(p.sample.row)).collect()))),
        ),
        (
            "aws_service",
            column(|| Ok(words(pairs.iter().map(|p| merger.table(p.sample).service(p.sample.row)).collect()))),
        ),
        ("external", column(|| Ok(Arc::new(pairs.iter().map(|p| Some(p.external)).collect::<BooleanArray>())))),
        (
            "local_scope",
            column(|| {
                Ok(Arc::new(pairs.iter().map(|p| Some(p.key.remote.is_local_scope())).collect::<BooleanArray>()))
            }),
        ),
        ("mirrored", column(|| Ok(Arc::new(mirrored())))),
        ("connections", column(|| Ok(u64s(&|p| p.connections)))),
        ("records", column(|| Ok(u64s(&|p| p.records)))),
        ("rejected", column(|| Ok(u64s(&|p| p.rejected)))),
        ("bytes_out", column(|| Ok(u64s(&|p| p.bytes_out)))),
        ("bytes_in", column(|| Ok(u64s(&|p| p.bytes_in)))),
        ("packets_out", column(|| Ok(u64s(&|p| p.packets_out)))),
        ("packets_in", column(|| Ok(u64s(&|p| p.packets_in)))),
        ("max_hour_bytes_out", column(|| Ok(u64s(&|p| p.max_hour_bytes_out)))),
        ("first_seen", column(|| Ok(seconds(pairs.iter().map(|p| Some(p.first_s)).collect())))),
        ("last_seen", column(|| Ok(seconds(pairs.iter().map(|p| Some(p.last_s)).collect())))),
        ("longest_s", column(|| Ok(u64s(&|p| p.longest_s.max(0) as u64)))),
        ("active_hours", column(|| Ok(u32s(&|p| p.active_hours)))),
        ("window_s", column(|| Ok(u32s(&|p| p.window_s)))),
        ("baseline_hours", column(|| Ok(baseline(&|b| u64::from(b.hours))))),
        ("baseline_connections", column(|| Ok(baseline(&|b| b.connections)))),
        ("baseline_bytes_out", column(|| Ok(baseline(&|b| b.bytes_out)))),
        ("baseline_max_hour_bytes_out", column(|| Ok(baseline(&|b| b.max_hour_bytes_out)))),
        ("baseline_first_seen", column(|| Ok(seconds(pairs.iter().map(|p| p.baseline.map(|b| b.first_s)).collect())))),
        (
            "first_contact",
            column(|| {
                let first = |p: &&PairRecord| window.first_contact(p.baseline.is_some());
                Ok(Arc::new(pairs.iter().map(first).collect::<BooleanArray>()))
            }),
        ),
        ("prevalence_hosts", column(|| Ok(Arc::new(UInt64Array::from(prevalence.clone()))))),
        (
            "prevalence_share",
            column(|| {
                let share = |(hosts, p): (&u64, &&PairRecord)| counts.share(*hosts, p.external, p.key.role);
                Ok(Arc::new(Float64Array::from_iter_values(prevalence.iter().zip(pairs).map(share))))
            }),
        ),
        (
            "starts",
            column(|| {
                let offsets = OffsetBuffer::from_lengths(pairs.iter().map(|p| p.starts.len()));
                let values = Int64Array::from_iter_values(pairs.iter().flat_map(|p| p.starts.iter().copied()));
                Ok(list(DataType::Int64, offsets, Arc::new(values)))
            }),
        ),
        (
            "sizes",
            column(|| {
                let offsets = OffsetBuffer::from_lengths(pairs.iter().map(|p| p.sizes.len()));
                Ok(list(DataType::Struct(size_fields.clone()), offsets, Arc::new(size_values())))
            }),
        ),
    ];
    // Columns are many and independent, so each is built by whichever thread is free.
    let built = columns.into_par_iter().map(|(name, build)| Ok((name, build()?)));
    batch("pairs", built.collect::<Result<Vec<_>, RollupError>>()?)
}
