//! Tables of `coverage` for tests.

use super::table::coverage_schema;
use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampSecondArray, UInt32Array, UInt64Array, new_null_array,
};
use std::sync::Arc;

/// Builds a table from rows of ENI, hour and lost seconds.
pub(crate) fn table(rows: &[(&str, i64, u32)]) -> RecordBatch {
    rows_with(rows.iter().map(|&(name, hour_s, lost_s)| (name, hour_s, 1, lost_s, 0)).collect())
}

/// Rows of ENI, hour, number of records and lost minutes.
pub(crate) fn rows_of(rows: &[(&str, i64, u64, u64)]) -> RecordBatch {
    rows_with(rows.iter().map(|&(name, hour_s, records, minutes)| (name, hour_s, records, 0, minutes)).collect())
}

fn rows_with(rows: Vec<(&str, i64, u64, u32, u64)>) -> RecordBatch {
    let (same_texts, numbers) =
        (|| StringArray::from(vec![Some("x"); rows.len()]), |n| UInt32Array::from(vec![n; rows.len()]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row.1)).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(same_texts()),
        Arc::new(same_texts()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("i-{}", row.0)))),
        Arc::new(same_texts()),
        Arc::new(same_texts()),
        Arc::new(BooleanArray::from(vec![false; rows.len()])),
        new_null_array(coverage_schema().field(8).data_type(), rows.len()),
        Arc::new(numbers(60)),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.2))),
        Arc::new(numbers(0)),
        Arc::new(numbers(0)),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.3))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4))),
    ];
    RecordBatch::try_new(coverage_schema(), columns).unwrap()
}
