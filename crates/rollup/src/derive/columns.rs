//! Arrow columns that several derived tables have.

use crate::error::RollupError;
use arrow::array::{ArrayRef, FixedSizeBinaryArray, ListArray, RecordBatch, TimestampSecondArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use flow::Address;
use std::sync::Arc;

pub(crate) fn seconds(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampSecondArray::from(values).with_timezone("UTC"))
}

pub(crate) fn address_column(values: impl Iterator<Item = Address>) -> Result<ArrayRef, RollupError> {
    let bytes: Vec<u8> = values.flat_map(Address::to_bytes).collect();
    let array = FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes), None);
    Ok(Arc::new(array.map_err(|source| RollupError::Arrow { table: "addresses", source })?))
}

/// Builds a table; fails with the table's name.
pub(crate) fn batch(table: &'static str, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, RollupError> {
    let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(nullable).map_err(|source| RollupError::Arrow { table, source })
}

pub(crate) fn list(item: DataType, offsets: OffsetBuffer<i32>, values: ArrayRef) -> Result<ArrayRef, RollupError> {
    let list = ListArray::try_new(Arc::new(Field::new("item", item, false)), offsets, values, None);
    Ok(Arc::new(list.map_err(|source| RollupError::Arrow { table: "pairs", source })?))
}
