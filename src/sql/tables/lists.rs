//! The lists of a run as tables: `indicators` and `networks`.

use crate::intel::{Indicators, Networks};
use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampSecondArray, UInt8Array, UInt32Array};
use arrow::error::ArrowError;
use flow::time::rfc3339;
use std::sync::Arc;

/// `indicators`: one row per entry of a feed, by first address.
pub(in crate::sql) fn indicators(lists: &Indicators) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<_> = lists.entries().collect();
    // Times outside the calendar do not bound anything.
    let seconds = |times: Vec<Option<i64>>| -> ArrayRef {
        let sound = times.into_iter().map(|time| time.filter(|time| rfc3339(*time).ends_with('Z')));
        Arc::new(sound.collect::<TimestampSecondArray>().with_timezone("UTC"))
    };
    RecordBatch::try_from_iter_with_nullable([
        ("source", Arc::new(StringArray::from_iter_values(rows.iter().map(|(source, _)| source))) as ArrayRef, false),
        ("network", Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, e)| e.network.to_string()))), false),
        ("port", Arc::new(rows.iter().map(|(_, e)| e.port.map(i32::from)).collect::<Int32Array>()), true),
        ("confidence", Arc::new(UInt8Array::from_iter_values(rows.iter().map(|(_, e)| e.confidence))), false),
        ("malware", Arc::new(rows.iter().map(|(_, e)| e.malware.as_deref()).collect::<StringArray>()), true),
        ("valid_from", seconds(rows.iter().map(|(_, e)| e.valid_from_s).collect()), true),
        ("valid_until", seconds(rows.iter().map(|(_, e)| e.valid_until_s).collect()), true),
    ])
}

/// `networks`: one row per network of the networks files, by first address.
pub(in crate::sql) fn networks(lists: &Networks) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<_> = lists.entries().collect();
    RecordBatch::try_from_iter_with_nullable([
        (
            "network",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(block, _)| block.to_string()))) as ArrayRef,
            false,
        ),
        ("owner", Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, row)| row.owner))), false),
        ("service", Arc::new(rows.iter().map(|(_, row)| row.service).collect::<StringArray>()), true),
        ("region", Arc::new(rows.iter().map(|(_, row)| row.region).collect::<StringArray>()), true),
        ("asn", Arc::new(rows.iter().map(|(_, row)| row.asn).collect::<UInt32Array>()), true),
    ])
}
