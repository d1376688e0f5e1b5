//! The `coverage` table: what was logged of each ENI in each hour, so that lost data is never taken for silence.

use super::RollupError;
use super::interface::{Interface, Interfaces};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampSecondArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The schema of `coverage`: one row per ENI and hour with any record, sorted by ENI and hour.
///
/// `skipdata_s` is the length of the windows in which AWS lost records; `transit` marks gateways' ENIs.
pub fn coverage_schema() -> SchemaRef {
    let seconds = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("hour", seconds, false),
        Field::new("interface_id", DataType::Utf8, true),
        Field::new("account_id", DataType::Utf8, false),
        Field::new("region", DataType::Utf8, false),
        Field::new("instance_id", DataType::Utf8, true),
        Field::new("vpc_id", DataType::Utf8, true),
        Field::new("subnet_id", DataType::Utf8, true),
        Field::new("transit", DataType::Boolean, false),
        Field::new("window_s", DataType::UInt32, false),
        Field::new("records", DataType::UInt64, false),
        Field::new("nodata", DataType::UInt32, false),
        Field::new("skipdata", DataType::UInt32, false),
        Field::new("skipdata_s", DataType::UInt32, false),
    ]))
}

pub(super) fn coverage_batch(
    interfaces: &Interfaces,
    texts: &[String],
    owner_of: impl Fn(&Interface) -> (String, String),
) -> Result<RecordBatch, RollupError> {
    let text = |number: u32| texts.get(number as usize).map(String::as_str);
    let mut entries: Vec<(Option<&str>, &Interface, (String, String))> =
        interfaces.entries.iter().map(|(name, entry)| (text(*name), entry, owner_of(entry))).collect();
    entries.sort_unstable_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
    let rows: Vec<_> = entries
        .iter()
        .flat_map(|(name, entry, owner)| entry.hours.sorted().map(move |(hour, hours)| (*name, *entry, owner, hour, hours)))
        .collect();
    let words = |pick: &dyn Fn(&Interface) -> u32| -> ArrayRef {
        Arc::new(rows.iter().map(|row| text(pick(row.1))).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row.3)).with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2.0.as_str()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2.1.as_str()))),
        words(&|entry| entry.texts.instance),
        words(&|entry| entry.texts.vpc),
        words(&|entry| entry.texts.subnet),
        Arc::new(rows.iter().map(|row| Some(row.1.is_transit(text(row.1.texts.kind)))).collect::<BooleanArray>()),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.1.window_s()))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4.records))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.4.nodata))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.4.skipdata))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.4.skipdata_s))),
    ];
    RecordBatch::try_new(coverage_schema(), columns)
        .map_err(|error| RollupError::Arrow { table: "coverage", error })
}
