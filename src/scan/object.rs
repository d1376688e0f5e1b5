//! Scans one object: footer, binding, then every row group as batches.

use super::batch::{BatchMaker, FlowBatch};
use super::pages::OneRowGroup;
use super::{Binding, Books, ObjectBytes, ScanError};
use crate::flow::schema::Field;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows in a batch: small enough for the caches, large enough to hide the cost of a batch.
pub const BATCH_ROWS: usize = 8_192;

/// Reads the footer of an object.
///
/// # Errors
/// [`ScanError::Parquet`] when the object is truncated, damaged or no Parquet.
pub fn footer(object: &str, bytes: &ObjectBytes) -> Result<Arc<ParquetMetaData>, ScanError> {
    let read = guarded(object, || {
        ParquetMetaDataReader::new().parse_and_finish(bytes).map_err(|error| ScanError::Parquet {
            object: object.to_owned(),
            place: "footer".to_owned(),
            error,
        })
    })?;
    Ok(Arc::new(read))
}

/// Scans an object whose bytes (or all ranges of the bound columns) are at hand, and passes each batch to `sink`.
///
/// Returns the number of rows. Batches that were passed on before an error stay passed on; the caller drops them.
///
/// # Errors
/// Any [`ScanError`]; they all concern this object only.
pub fn scan(
    object: &str,
    bytes: &Arc<ObjectBytes>,
    metadata: &Arc<ParquetMetaData>,
    wanted: &[Field],
    books: &Books,
    mut sink: impl FnMut(&FlowBatch),
) -> Result<u64, ScanError> {
    guarded(object, || {
        let binding = Binding::new(object, metadata.file_metadata().schema_descr(), wanted)?;
        let mut maker = BatchMaker::new(object, &binding, books);
        let mut rows = 0;
        for index in 0..metadata.num_row_groups() {
            if metadata.row_group(index).num_rows() == 0 {
                continue;
            }
            let place = || format!("row group {index}");
            let group = OneRowGroup { data: bytes.clone(), metadata: metadata.clone(), index };
            let reader = ParquetRecordBatchReader::try_new_with_row_groups(binding.levels(), &group, BATCH_ROWS, None)
                .map_err(|error| ScanError::Parquet { object: object.to_owned(), place: place(), error })?;
            for batch in reader {
                let batch = batch
                    .map_err(|error| ScanError::Decode { object: object.to_owned(), place: place(), error })?;
                let batch = maker.make(&batch)?;
                rows += batch.rows as u64;
                sink(&batch);
            }
        }
        Ok(rows)
    })
}

/// Runs `work` and turns a panic of the decoder on damaged data into an error about this object.
fn guarded<T>(object: &str, work: impl FnOnce() -> Result<T, ScanError>) -> Result<T, ScanError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "unknown reason".to_owned());
        Err(ScanError::Damaged { object: object.to_owned(), reason })
    })
}
