//! The `coverage` table: what was logged of each ENI in each hour, so that lost data is never mistaken for silence.

use crate::error::RollupError;
use crate::unit::interface::Interface;
use arrow::array::{
    Array, ArrayRef, BooleanArray, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampSecondArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use flow::Address;
use std::sync::Arc;

/// Returns the schema of `coverage`: one row per ENI and hour with any record, sorted by ENI and hour.
///
/// `transit` marks the ENIs of gateways. `forwards_as` has the addresses under which an ENI forwards for others, NULL
/// where it does not; it is empty where the log does not name them. `skipdata_s` is the length of the windows in which
/// AWS lost records; `skipdata_minutes` has the minutes of the hour that they touch, the first in the lowest bit. An
/// hour that only the end of such a window reaches has a row without records.
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
        Field::new_list("forwards_as", Field::new("item", DataType::Utf8, false), true),
        Field::new("window_s", DataType::UInt32, false),
        Field::new("records", DataType::UInt64, false),
        Field::new("nodata", DataType::UInt32, false),
        Field::new("skipdata", DataType::UInt32, false),
        Field::new("skipdata_s", DataType::UInt32, false),
        Field::new("skipdata_minutes", DataType::UInt64, false),
    ]))
}

/// An ENI with what is known of it besides its counts.
struct Described<'a> {
    name: Option<&'a str>,
    entry: &'a Interface,
    account: String,
    region: String,
    /// Addresses that it forwards as; none when it does not forward.
    forwards_as: Option<Vec<Address>>,
}

pub(crate) fn coverage_batch<'a>(
    interfaces: &'a [(u32, Interface)],
    texts: &[String],
    owner_of: impl Fn(&Interface) -> (String, String),
    forwards_as: impl Fn(u32, &Interface) -> Option<Vec<Address>>,
) -> Result<RecordBatch, RollupError> {
    let text = |number: u32| texts.get(number as usize).map(String::as_str);
    let described = |(name, entry): &'a (u32, Interface)| {
        let ((account, region), forwards_as) = (owner_of(entry), forwards_as(*name, entry));
        Described { name: text(*name), entry, account, region, forwards_as }
    };
    let mut entries: Vec<Described> = interfaces.iter().map(described).collect();
    entries.sort_unstable_by(|a, b| (a.name, &a.account, &a.region).cmp(&(b.name, &b.account, &b.region)));
    let rows: Vec<_> = entries
        .iter()
        .flat_map(|described| described.entry.hours.sorted().map(move |(hour, hours)| (described, hour, hours)))
        .collect();
    let text_column = |pick: &dyn Fn(&Interface) -> u32| -> ArrayRef {
        fitted(rows.iter().map(|row| text(pick(row.0.entry))).collect())
    };
    let mut forwards = ListBuilder::new(StringBuilder::new()).with_field(Field::new("item", DataType::Utf8, false));
    for row in &rows {
        for address in row.0.forwards_as.iter().flatten() {
            forwards.values().append_value(address.to_string());
        }
        forwards.append(row.0.forwards_as.is_some());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row.1)).with_timezone("UTC")),
        fitted(rows.iter().map(|row| row.0.name).collect()),
        fitted(StringArray::from_iter_values(rows.iter().map(|row| row.0.account.as_str()))),
        fitted(StringArray::from_iter_values(rows.iter().map(|row| row.0.region.as_str()))),
        text_column(&|entry| entry.texts.instance.number),
        text_column(&|entry| entry.texts.vpc.number),
        text_column(&|entry| entry.texts.subnet.number),
        Arc::new(
            rows.iter()
                .map(|row| Some(row.0.entry.is_gateway(text(row.0.entry.texts.kind.number))))
                .collect::<BooleanArray>(),
        ),
        Arc::new(forwards.finish()),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.0.entry.window_s()))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.2.records))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.2.nodata))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.2.skipdata))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.2.skipdata_s))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.2.skipdata_minutes))),
    ];
    RecordBatch::try_new(coverage_schema(), columns).map_err(|source| RollupError::Arrow { table: "coverage", source })
}

/// Builds a column without spare capacity: coverage stays in memory for the whole run.
fn fitted(mut column: StringArray) -> ArrayRef {
    column.shrink_to_fit();
    Arc::new(column)
}
