//! Scans one object: its footer, its binding, then every row group as batches.
//!
//! ```text
//! for each row group:
//!     if the native path supports it:
//!         pass its batches on until the path fails; done if it does not
//!     decode it through Arrow, and leave out the rows that were passed on
//! ```

use super::arrow_fallback::BatchConverter;
use super::flow_batch::{BATCH_ROWS, FlowBatch};
use super::native::NativeDecoder;
use crate::binding::Binding;
use crate::bound_object::{BoundObject, DecodePath, check_rows, supports_native};
use crate::error::{ScanError, guarded};
use crate::interner::Interners;
use flow::schema::Field;
use pages::ObjectBytes;
use pages::footer_check::check_row_groups;
use pages::guard::loudly;
use pages::row_group::CheckedRowGroup;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::sync::Arc;

/// Reads the footer of an object.
///
/// # Errors
/// [`ScanError::Parquet`] when the object is truncated, damaged or not Parquet.
pub fn footer(object: &str, bytes: &ObjectBytes) -> Result<Arc<ParquetMetaData>, ScanError> {
    let read = guarded(object, || {
        let checked = check_row_groups(bytes);
        checked
            .and_then(|()| ParquetMetaDataReader::new().parse_and_finish(bytes))
            .map_err(|error| ScanError::in_footer(object, error))
    })?;
    Ok(Arc::new(read))
}

/// Scans an object and passes each batch to `sink`. `bytes` is the whole object, or all ranges of the bound columns.
///
/// Returns the number of rows. Batches may have been passed on before an error; the caller drops them.
///
/// # Errors
/// Any [`ScanError`]; they all concern this object only.
pub fn scan(
    object: &str,
    bytes: &Arc<ObjectBytes>,
    metadata: &Arc<ParquetMetaData>,
    wanted: &[Field],
    interners: &Interners,
    sink: impl FnMut(&FlowBatch),
) -> Result<u64, ScanError> {
    scan_with(DecodePath::Native, object, bytes, metadata, wanted, interners, sink)
}

/// Scans like [`scan`], by the given decode path.
///
/// # Errors
/// Those of [`scan`].
pub fn scan_with(
    path: DecodePath,
    object: &str,
    bytes: &Arc<ObjectBytes>,
    metadata: &Arc<ParquetMetaData>,
    wanted: &[Field],
    interners: &Interners,
    mut sink: impl FnMut(&FlowBatch),
) -> Result<u64, ScanError> {
    guarded(object, || {
        let binding = Binding::new(object, metadata.file_metadata().schema_descr(), wanted)?;
        let mut converter = BatchConverter::new(object, &binding, interners);
        let mut native = NativeDecoder::take();
        let bound = BoundObject { bytes, metadata, binding: &binding, interners };
        let mut rows = 0;
        check_rows(object, bytes, metadata)?;
        for index in 0..metadata.num_row_groups() {
            if metadata.row_group(index).num_rows() == 0 {
                continue;
            }
            let part = || format!("row group {index}");
            let mut passed = 0;
            if path == DecodePath::Native && supports_native(&binding, metadata.row_group(index)) {
                let whole = pass_on(&mut native, &bound, index, &mut passed, &mut sink)
                    .map_err(|source| ScanError::Parquet { object: object.to_owned(), part: part(), source })?;
                rows += passed;
                if whole {
                    continue;
                }
            }
            let group = CheckedRowGroup { data: bytes.clone(), metadata: metadata.clone(), index };
            let reader = ParquetRecordBatchReader::try_new_with_row_groups(binding.levels(), &group, BATCH_ROWS, None)
                .map_err(|source| ScanError::Parquet { object: object.to_owned(), part: part(), source })?;
            let mut decoded = 0;
            for batch in reader {
                let batch =
                    batch.map_err(|source| ScanError::Decode { object: object.to_owned(), part: part(), source })?;
                // Batches of both paths have the same rows, so those already passed on are skipped here.
                let size = batch.num_rows() as u64;
                decoded += size;
                if passed > 0 {
                    passed = passed.saturating_sub(size);
                    continue;
                }
                let batch = converter.convert(&batch)?;
                rows += size;
                loudly(|| sink(&batch));
            }
            // The decoder treats pages without values as the end of their column, and reports no error.
            if i64::try_from(decoded) != Ok(metadata.row_group(index).num_rows()) {
                let rows = metadata.row_group(index).num_rows();
                let source = ParquetError::General(format!("{decoded} rows decoded, the footer claims {rows}"));
                return Err(ScanError::Parquet { object: object.to_owned(), part: part(), source });
            }
        }
        native.give_back();
        Ok(rows)
    })
}

/// Decodes a row group by the native path and passes its batches to `sink`, counting their rows in `passed`. Returns
/// `false` at the first page that it cannot read: the Arrow path then reads the rest, and reports any damage.
///
/// # Errors
/// When an ENI-metadata column is damaged: `sink` has already used what was read.
fn pass_on(
    native: &mut NativeDecoder,
    object: &BoundObject<'_>,
    index: usize,
    passed: &mut u64,
    sink: &mut impl FnMut(&FlowBatch),
) -> Result<bool, ParquetError> {
    if native.open(object, index).is_err() {
        return Ok(false);
    }
    loop {
        match native.next(object.interners) {
            Err(_) => return Ok(false),
            Ok(false) => return Ok(true),
            Ok(true) => {
                loudly(|| sink(&native.batch));
                if let Some(error) = native.take_error() {
                    return Err(error);
                }
                *passed += native.batch.rows as u64;
            }
        }
    }
}
