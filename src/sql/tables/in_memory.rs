//! Tables held entirely in memory, cut so that every thread has a part.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;

/// Rows that a plan processes at a time.
pub(in crate::sql) const BATCH_ROWS: usize = 8192;

/// Returns a table of `threads` partitions.
pub(in crate::sql) fn memory_table(
    schema: SchemaRef,
    batches: &[RecordBatch],
    threads: usize,
) -> Result<MemTable, DataFusionError> {
    MemTable::try_new(schema, parts(batches, threads.max(1)))
}

/// Cuts a table into at most `count` consecutive parts of about equal length, each in batches of the size that plans
/// process. Nothing is copied.
fn parts(batches: &[RecordBatch], count: usize) -> Vec<Vec<RecordBatch>> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let most = rows.div_ceil(count).max(BATCH_ROWS);
    let mut parts = vec![Vec::new()];
    let mut filled = 0;
    for batch in batches {
        let mut from = 0;
        while from < batch.num_rows() {
            if filled == most {
                parts.push(Vec::new());
                filled = 0;
            }
            let length = BATCH_ROWS.min(most - filled).min(batch.num_rows() - from);
            if let Some(part) = parts.last_mut() {
                part.push(batch.slice(from, length));
            }
            from += length;
            filled += length;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    fn table(values: std::ops::Range<i64>) -> RecordBatch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter([("n", values)]).unwrap()
    }

    #[test]
    fn parts_hold_every_row_in_order_and_none_is_long() {
        for (count, lengths) in
            [(1, vec![20_000]), (2, vec![20_000]), (3, vec![10, 0, 30_000, 5]), (4, vec![]), (2, vec![3])]
        {
            let rows: i64 = lengths.iter().sum();
            let mut from = 0;
            let batches: Vec<RecordBatch> = lengths
                .iter()
                .map(|length| {
                    from += length;
                    table(from - length..from)
                })
                .collect();
            let parts = parts(&batches, count);
            assert!((1..=count).contains(&parts.len()));
            assert!(parts.iter().flatten().all(|batch| (1..=BATCH_ROWS).contains(&batch.num_rows())));
            let together: Vec<i64> = parts
                .iter()
                .flatten()
                .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
                .collect();
            assert_eq!(together, (0..rows).collect::<Vec<_>>());
        }
    }
}
