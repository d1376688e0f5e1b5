//! An object whose columns are bound: what both decode paths need, and which row groups the native path supports.

use crate::binding::Binding;
use crate::column::number::PhysicalNumber;
use crate::error::ScanError;
use crate::interner::Interners;
use arrow::datatypes::DataType;
use flow::schema::FieldKind;
use pages::ObjectBytes;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::Length;
use std::sync::Arc;

/// How row groups are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodePath {
    /// From pages straight to values, and through Arrow where that is not supported.
    Native,
    /// Always through Arrow: slower, reads every layout, returns the same rows.
    Arrow,
}

/// An object, its columns bound to fields.
pub(crate) struct BoundObject<'a> {
    pub(crate) bytes: &'a Arc<ObjectBytes>,
    pub(crate) metadata: &'a Arc<ParquetMetaData>,
    pub(crate) binding: &'a Binding,
    pub(crate) interners: &'a Interners,
}

/// Returns whether the native path supports every column of a row group: whole-byte numbers, texts and timestamps,
/// plain or dictionary-encoded, one column per field.
pub(crate) fn supports_native(binding: &Binding, group: &RowGroupMetaData) -> bool {
    binding.fields.iter().all(|(field, leaves)| {
        let [leaf] = leaves.as_slice() else { return false };
        let Some(data_type) = binding.arrow_type_of(leaf) else { return false };
        let Some(chunk) = group.columns().get(leaf.number) else { return false };
        let column = chunk.column_descr();
        // Arrow's type alone does not say how bytes lie in a page: a timestamp may be an INT64 or an INT96.
        let expected = match field.kind() {
            FieldKind::Text => {
                matches!(data_type, DataType::Utf8 | DataType::Binary).then_some(PhysicalType::BYTE_ARRAY)
            }
            FieldKind::Int32 | FieldKind::Int64 => PhysicalNumber::of(data_type).map(PhysicalNumber::physical_type),
        };
        let fits = expected == Some(column.physical_type());
        let plain = |encoding| {
            matches!(
                encoding,
                Encoding::PLAIN
                    | Encoding::RLE
                    | Encoding::PLAIN_DICTIONARY
                    | Encoding::RLE_DICTIONARY
                    // For levels, where there are none.
                    | OLD_LEVELS
            )
        };
        fits && column.max_rep_level() == 0 && column.max_def_level() <= 1 && chunk.encodings().all(plain)
    })
}

/// Old writers list it for the levels of columns that have none.
#[allow(deprecated)]
const OLD_LEVELS: Encoding = Encoding::BIT_PACKED;

/// Maximum rows that a byte of an object may encode; constant columns in large pages reach some hundreds.
const MAX_ROWS_PER_BYTE: u64 = 1_024;
/// Maximum rows of a row group; writers stay below a few million.
const MAX_ROW_GROUP_ROWS: i64 = 1 << 27;

/// Refuses a footer that claims more rows than its object can hold: a decoder would produce them all.
///
/// # Errors
/// [`ScanError::Parquet`] for the first such row group.
pub(crate) fn check_rows(object: &str, bytes: &ObjectBytes, metadata: &ParquetMetaData) -> Result<(), ScanError> {
    let max_rows = bytes.len().saturating_mul(MAX_ROWS_PER_BYTE);
    let mut all = 0u64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows();
        all = all.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
        if all > max_rows || rows > MAX_ROW_GROUP_ROWS {
            let claim = format!("claims {rows} rows, an object of {} bytes cannot hold them", bytes.len());
            return Err(ScanError::Parquet {
                object: object.to_owned(),
                part: format!("row group {index}"),
                source: ParquetError::General(claim),
            });
        }
    }
    Ok(())
}
