//! The `pair_hours` table: its published schema, how a unit writes it and how it is read back.

mod opened;

use super::RollupError;
use super::packed::NO_SERVICE;
use super::peers::{PairFold, PairRow};
use crate::flow::Address;
use crate::scan::NONE;
use arrow::array::{
    Array, ArrayRef, DictionaryArray, FixedSizeBinaryBuilder, Int32Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampSecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
pub use opened::PairHours;
use rayon::prelude::*;
use std::sync::Arc;

const TABLE: &str = "pair_hours";

fn text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn seconds() -> DataType {
    DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, false)))
}

fn size_fields() -> Fields {
    vec![Field::new("bucket", DataType::UInt16, false), Field::new("count", DataType::UInt32, false)].into()
}

/// The schema of `pair_hours`: one row per hour × host × remote × protocol × port × role × account × region × vantage,
/// sorted by host, remote, protocol, port, role, account, region, vantage, hour.
///
/// `starts`, `durations_s`, `client_ports` and `openings` are parallel lists of connection segments (4,096 at most,
/// `segments_dropped` more were seen): an opening of 0 is a SYN, 1 continues an earlier connection and is no start,
/// 2 is a first sight. `sizes` is a sparse histogram of bytes out per segment with the buckets of
/// [`crate::kernels::sizes`]. `vantage` is `own` (the host's ENI) or `transit` (a gateway's). Rejected records count
/// in `records` and `rejected`, never in bytes or packets.
pub fn pair_hours_schema() -> SchemaRef {
    let column = |name: &str, kind: DataType| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        column("hour", seconds()),
        column("account_id", text()),
        column("region", text()),
        column("host", DataType::FixedSizeBinary(16)),
        column("remote", DataType::FixedSizeBinary(16)),
        column("port", DataType::UInt16),
        column("protocol", DataType::UInt8),
        column("role", text()),
        column("vantage", text()),
        Field::new("interface_id", text(), true),
        Field::new("aws_service", text(), true),
        column("connections", DataType::UInt32),
        column("records", DataType::UInt32),
        column("rejected", DataType::UInt32),
        column("bytes_out", DataType::UInt64),
        column("bytes_in", DataType::UInt64),
        column("packets_out", DataType::UInt64),
        column("packets_in", DataType::UInt64),
        column("first_seen", seconds()),
        column("last_seen", seconds()),
        column("longest_s", DataType::UInt32),
        column("window_s", DataType::UInt32),
        column("segments_dropped", DataType::UInt32),
        column("starts", list(DataType::Int64)),
        column("durations_s", list(DataType::UInt32)),
        column("client_ports", list(DataType::UInt16)),
        column("openings", list(DataType::UInt8)),
        column("sizes", list(DataType::Struct(size_fields()))),
    ]))
}

/// Texts and addresses that packed rows name by rank or number.
pub(super) struct BatchTexts<'a> {
    pub(super) owners: &'a [(String, String)],
    pub(super) addresses: &'a [Address],
    pub(super) names: &'a [String],
    pub(super) services: &'a [&'a str],
}

/// Builds a dictionary column from numbers into `values`; numbers out of range are null.
fn dictionary<'a>(
    keys: impl Iterator<Item = u32>,
    values: impl Iterator<Item = &'a str>,
) -> Result<ArrayRef, RollupError> {
    let values = StringArray::from_iter_values(values);
    let keys: Int32Array = keys.map(|key| ((key as usize) < values.len()).then_some(key as i32)).collect();
    let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))
        .map_err(|error| RollupError::Arrow { table: TABLE, error })?;
    Ok(Arc::new(array))
}

fn addresses(ranks: impl ExactSizeIterator<Item = u32>, sorted: &[Address]) -> Result<ArrayRef, RollupError> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(ranks.len(), 16);
    for rank in ranks {
        let address = sorted.get(rank as usize).copied().unwrap_or_default();
        builder.append_value(address.to_bytes()).map_err(|error| RollupError::Arrow { table: TABLE, error })?;
    }
    Ok(Arc::new(builder.finish()))
}

fn numbers<T: ArrowPrimitiveType>(values: impl Iterator<Item = T::Native>) -> ArrayRef {
    Arc::new(arrow::array::PrimitiveArray::<T>::from_iter_values(values))
}

/// Builds the table from folded parts, sorted by key.
pub(super) fn pair_hours_batch(folds: &[PairFold], texts: &BatchTexts<'_>) -> Result<RecordBatch, RollupError> {
    let mut rows: Vec<(&PairRow, &PairFold)> =
        folds.iter().flat_map(|fold| fold.rows.iter().map(move |row| (row, fold))).collect();
    rows.par_sort_unstable_by_key(|(row, _)| {
        (row.host, row.remote, row.protocol, row.port, row.role, row.owner, row.transit, row.hour_s)
    });
    let per_row = || rows.iter().map(|(row, _)| *row);
    let segments = || rows.iter().flat_map(|(row, fold)| &fold.segments[row.segments.0..row.segments.1]);
    let offsets = OffsetBuffer::from_lengths(per_row().map(|row| row.segments.1 - row.segments.0));
    let listed = |item: DataType, values: ArrayRef| -> ArrayRef {
        Arc::new(ListArray::new(Arc::new(Field::new("item", item, false)), offsets.clone(), values, None))
    };
    let sizes = || rows.iter().flat_map(|(row, fold)| &fold.sizes[row.sizes.0..row.sizes.1]);
    let size_values = StructArray::new(
        size_fields(),
        vec![
            numbers::<UInt16Type>(sizes().map(|(bucket, _)| *bucket)),
            numbers::<UInt32Type>(sizes().map(|(_, count)| *count)),
        ],
        None,
    );
    let size_offsets = OffsetBuffer::from_lengths(per_row().map(|row| row.sizes.1 - row.sizes.0));
    let size_field = Arc::new(Field::new("item", DataType::Struct(size_fields()), false));
    let stamp = |values: Vec<i64>| -> ArrayRef { Arc::new(TimestampSecondArray::from(values).with_timezone("UTC")) };
    let columns: Vec<ArrayRef> = vec![
        stamp(per_row().map(|row| row.hour_s).collect()),
        dictionary(per_row().map(|row| row.owner), texts.owners.iter().map(|(account, _)| account.as_str()))?,
        dictionary(per_row().map(|row| row.owner), texts.owners.iter().map(|(_, region)| region.as_str()))?,
        addresses(per_row().map(|row| row.host).collect::<Vec<_>>().into_iter(), texts.addresses)?,
        addresses(per_row().map(|row| row.remote).collect::<Vec<_>>().into_iter(), texts.addresses)?,
        numbers::<UInt16Type>(per_row().map(|row| row.port)),
        numbers::<UInt8Type>(per_row().map(|row| row.protocol)),
        dictionary(per_row().map(|row| row.role as u32), ["client", "server"].into_iter())?,
        dictionary(per_row().map(|row| u32::from(row.transit)), ["own", "transit"].into_iter())?,
        dictionary(per_row().map(|row| row.interface), texts.names.iter().map(String::as_str))?,
        dictionary(
            per_row().map(|row| if row.service == NO_SERVICE { NONE } else { u32::from(row.service) }),
            texts.services.iter().copied(),
        )?,
        numbers::<UInt32Type>(per_row().map(|row| row.connections)),
        numbers::<UInt32Type>(per_row().map(|row| row.records)),
        numbers::<UInt32Type>(per_row().map(|row| row.rejected)),
        numbers::<UInt64Type>(per_row().map(|row| row.bytes_out)),
        numbers::<UInt64Type>(per_row().map(|row| row.bytes_in)),
        numbers::<UInt64Type>(per_row().map(|row| row.packets_out)),
        numbers::<UInt64Type>(per_row().map(|row| row.packets_in)),
        stamp(per_row().map(|row| row.first_s).collect()),
        stamp(per_row().map(|row| row.last_s).collect()),
        numbers::<UInt32Type>(per_row().map(|row| u32::try_from(row.longest_s).unwrap_or(u32::MAX))),
        numbers::<UInt32Type>(per_row().map(|row| row.window_s)),
        numbers::<UInt32Type>(per_row().map(|row| row.segments_dropped)),
        listed(DataType::Int64, numbers::<Int64Type>(segments().map(|s| s.start_s))),
        listed(
            DataType::UInt32,
            numbers::<UInt32Type>(segments().map(|s| u32::try_from(s.end_s - s.start_s).unwrap_or(0))),
        ),
        listed(DataType::UInt16, numbers::<UInt16Type>(segments().map(|s| s.client_port))),
        listed(DataType::UInt8, numbers::<UInt8Type>(segments().map(|s| s.opening as u8))),
        Arc::new(ListArray::new(size_field, size_offsets, Arc::new(size_values), None)),
    ];
    RecordBatch::try_new(pair_hours_schema(), columns).map_err(|error| RollupError::Arrow { table: TABLE, error })
}
