//! Scans one object: footer, binding, then every row group as batches.

use super::batch::{BatchMaker, FlowBatch};
use super::direct::{Direct, Source, supports};
use super::pages::OneRowGroup;
use super::row_groups::check_row_groups;
use super::{Binding, Books, ObjectBytes, ScanError};
use crate::flow::schema::Field;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::Length;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

/// Rows in a batch: small enough for the caches, large enough to hide the cost of a batch.
pub const BATCH_ROWS: usize = 8_192;

/// Reads the footer of an object.
///
/// # Errors
/// [`ScanError::Parquet`] when the object is truncated, damaged or no Parquet.
pub fn footer(object: &str, bytes: &ObjectBytes) -> Result<Arc<ParquetMetaData>, ScanError> {
    let read = guarded(object, || {
        let checked = check_row_groups(bytes);
        checked
            .and_then(|()| ParquetMetaDataReader::new().parse_and_finish(bytes))
            .map_err(|error| ScanError::in_footer(object, error))
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
    sink: impl FnMut(&FlowBatch),
) -> Result<u64, ScanError> {
    scan_by(Way::Direct, object, bytes, metadata, wanted, books, sink)
}

/// How row groups are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From pages to batches, and through Arrow where that does not go.
    Direct,
    /// Through Arrow always: slower, reads every layout, and tells the same.
    Arrow,
}

/// Scans as [`scan`] does, by a way of the caller's choice.
///
/// # Errors
/// As [`scan`].
pub fn scan_by(
    way: Way,
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
        let mut direct = Direct::take();
        let source = Source { bytes, metadata, binding: &binding, books };
        let mut rows = 0;
        check_rows(object, bytes, metadata)?;
        for index in 0..metadata.num_row_groups() {
            if metadata.row_group(index).num_rows() == 0 {
                continue;
            }
            let place = || format!("row group {index}");
            let mut passed = 0;
            if way == Way::Direct && supports(&binding, metadata.row_group(index)) {
                let whole = pass_on(&mut direct, &source, index, &mut passed, &mut sink)
                    .map_err(|error| ScanError::Parquet { object: object.to_owned(), place: place(), error })?;
                rows += passed;
                if whole {
                    continue;
                }
            }
            let group = OneRowGroup { data: bytes.clone(), metadata: metadata.clone(), index };
            let reader = ParquetRecordBatchReader::try_new_with_row_groups(binding.levels(), &group, BATCH_ROWS, None)
                .map_err(|error| ScanError::Parquet { object: object.to_owned(), place: place(), error })?;
            let mut decoded = 0;
            for batch in reader {
                let batch =
                    batch.map_err(|error| ScanError::Decode { object: object.to_owned(), place: place(), error })?;
                // Batches of both ways have the same rows, so those that were passed on are left out here.
                let size = batch.num_rows() as u64;
                decoded += size;
                if passed > 0 {
                    passed = passed.saturating_sub(size);
                    continue;
                }
                let batch = maker.make(&batch)?;
                rows += size;
                heard(|| sink(&batch));
            }
            // The decoder takes pages without values for the end of their column and says nothing.
            if i64::try_from(decoded) != Ok(metadata.row_group(index).num_rows()) {
                let rows = metadata.row_group(index).num_rows();
                let error = ParquetError::General(format!("{decoded} rows decoded, the footer claims {rows}"));
                return Err(ScanError::Parquet { object: object.to_owned(), place: place(), error });
            }
        }
        direct.give_back();
        Ok(rows)
    })
}

/// Decodes a row group by the direct way and passes its batches to `sink`, counting their rows in `passed`. Returns
/// `false` when it met what it cannot read: the rest is then for the way through Arrow, which also has the words for
/// damage.
///
/// # Errors
/// When a describing column is damaged: the caller has already used what was read.
fn pass_on(
    direct: &mut Direct,
    source: &Source<'_>,
    index: usize,
    passed: &mut u64,
    sink: &mut impl FnMut(&FlowBatch),
) -> Result<bool, ParquetError> {
    if direct.open(source, index).is_err() {
        return Ok(false);
    }
    loop {
        match direct.next(source.books) {
            Err(_) => return Ok(false),
            Ok(false) => return Ok(true),
            Ok(true) => {
                heard(|| sink(&direct.batch));
                if let Some(error) = direct.take_error() {
                    return Err(error);
                }
                *passed += direct.batch.rows as u64;
            }
        }
    }
}

/// Lets a panic of the sink be heard: what it does wrong is no damage of the object.
fn heard(sink: impl FnOnce()) {
    let guard = GUARDED.replace(false);
    sink();
    GUARDED.set(guard);
}

/// Keeps the panics of work within a sink off stderr: they become errors of the object after all.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let guard = GUARDED.replace(true);
    let result = work();
    GUARDED.set(guard);
    result
}

/// Rows that a byte of an object may stand for; constant columns in large pages come to some hundreds.
const ROWS_A_BYTE: u64 = 1_024;
/// Most rows of one row group; writers stay below a few million.
const ROW_GROUP_ROWS: i64 = 1 << 27;

/// Refuses a footer that claims more rows than its object can hold: a decoder would make them all up.
pub(super) fn check_rows(object: &str, bytes: &ObjectBytes, metadata: &ParquetMetaData) -> Result<(), ScanError> {
    let most = bytes.len().saturating_mul(ROWS_A_BYTE);
    let mut all = 0u64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows();
        all = all.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
        if all > most || rows > ROW_GROUP_ROWS {
            let claim = format!("claims {rows} rows, an object of {} bytes cannot hold them", bytes.len());
            return Err(ScanError::Parquet {
                object: object.to_owned(),
                place: format!("row group {index}"),
                error: ParquetError::General(claim),
            });
        }
    }
    Ok(())
}

thread_local! {
    /// A panic on this thread is about to become an error of an object.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics that become [`ScanError::Damaged`] off stderr; all others are reported as before.
///
/// It changes the panic hook of the process, so a program calls it once, at its start; a second call does nothing.
pub fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.try_with(Cell::get).unwrap_or(false) {
                loud(info);
            }
        }));
    });
}

/// Runs `work` and turns a panic of the decoder on damaged data into an error about this object.
///
/// # Errors
/// What `work` fails with, and [`ScanError::Damaged`] where it panics.
pub fn guarded<T>(object: &str, work: impl FnOnce() -> Result<T, ScanError>) -> Result<T, ScanError> {
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.unwrap_or_else(|panic| Err(damaged(object, &*panic)))
}

/// The error that a panic of the decoder becomes.
pub(super) fn damaged(object: &str, panic: &(dyn Any + Send)) -> ScanError {
    let reason = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "unknown reason".to_owned());
    ScanError::Damaged { object: object.to_owned(), reason }
}
