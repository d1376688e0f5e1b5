//! The `coverage` table: what was logged of each ENI in each hour, so that lost data is never taken for silence.

use super::RollupError;
use super::derive::HostFacts;
use super::interface::Interface;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampSecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampSecondType, UInt32Type, UInt64Type};
use flow::time::HOUR_S;
use foldhash::fast::FixedState;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The schema of `coverage`: one row per ENI and hour with any record, sorted by ENI and hour.
///
/// `skipdata_s` is the length of the windows in which AWS lost records, `skipdata_minutes` the minutes of the hour that
/// they touch, the first in the lowest bit; `transit` marks gateways' ENIs. An hour that only the end of such a window
/// reaches has no records.
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
        Field::new("skipdata_minutes", DataType::UInt64, false),
    ]))
}

pub(super) fn coverage_batch(
    interfaces: &[(u32, Interface)],
    texts: &[String],
    owner_of: impl Fn(&Interface) -> (String, String),
) -> Result<RecordBatch, RollupError> {
    let text = |number: u32| texts.get(number as usize).map(String::as_str);
    let mut entries: Vec<(Option<&str>, &Interface, (String, String))> =
        interfaces.iter().map(|(name, entry)| (text(*name), entry, owner_of(entry))).collect();
    entries.sort_unstable_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
    let rows: Vec<_> = entries
        .iter()
        .flat_map(|(name, entry, owner)| {
            entry.hours.sorted().map(move |(hour, hours)| (*name, *entry, owner, hour, hours))
        })
        .collect();
    let words =
        |pick: &dyn Fn(&Interface) -> u32| -> ArrayRef { fitted(rows.iter().map(|row| text(pick(row.1))).collect()) };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row.3)).with_timezone("UTC")),
        fitted(rows.iter().map(|row| row.0).collect()),
        fitted(StringArray::from_iter_values(rows.iter().map(|row| row.2.0.as_str()))),
        fitted(StringArray::from_iter_values(rows.iter().map(|row| row.2.1.as_str()))),
        words(&|entry| entry.texts.instance.text),
        words(&|entry| entry.texts.vpc.text),
        words(&|entry| entry.texts.subnet.text),
        Arc::new(rows.iter().map(|row| Some(row.1.is_transit(text(row.1.texts.kind.text)))).collect::<BooleanArray>()),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.1.window_s()))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4.records))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.4.nodata))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.4.skipdata))),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.4.skipdata_s))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4.skipdata_minutes))),
    ];
    RecordBatch::try_new(coverage_schema(), columns).map_err(|error| RollupError::Arrow { table: "coverage", error })
}

/// A column without room to grow: coverage stays in memory for the whole run.
fn fitted(mut column: StringArray) -> ArrayRef {
    column.shrink_to_fit();
    Arc::new(column)
}

/// What `coverage` knows of each ENI, by name; of each field the first row that tells it counts.
pub fn host_facts(tables: &[RecordBatch]) -> HashMap<String, HostFacts> {
    let mut facts: HashMap<String, HostFacts> = HashMap::new();
    for table in tables {
        let column = |name: &str| table[name].as_string::<i32>();
        let (names, instances, vpcs, subnets) =
            (column("interface_id"), column("instance_id"), column("vpc_id"), column("subnet_id"));
        for row in (0..table.num_rows()).filter(|row| names.is_valid(*row)) {
            let name = names.value(row);
            let fact = match facts.get_mut(name) {
                Some(fact) => fact,
                None => facts.entry(name.to_owned()).or_default(),
            };
            // A unit of which only records outside the time range were read counts its ENIs and describes none.
            for (known, told) in
                [(&mut fact.instance_id, instances), (&mut fact.vpc_id, vpcs), (&mut fact.subnet_id, subnets)]
            {
                if known.is_none() && told.is_valid(row) {
                    *known = Some(told.value(row).to_owned());
                }
            }
        }
    }
    facts
}

/// Share of `from_s` to `to_s` with data, by ENI, 0–1 to four places: hours with any record, less the windows that AWS
/// lost records of. ENIs without any hour in that time are left out.
pub fn coverage_shares(tables: &[RecordBatch], from_s: i64, to_s: i64) -> BTreeMap<String, f64> {
    // An hour may be split over two units; it is still one hour.
    let mut covered_s: HashMap<&str, Vec<(i64, i64)>, FixedState> = HashMap::default();
    for table in tables {
        let names = table["interface_id"].as_string::<i32>();
        let hours = table["hour"].as_primitive::<TimestampSecondType>();
        let lost = table["skipdata_s"].as_primitive::<UInt32Type>();
        let records = table["records"].as_primitive::<UInt64Type>();
        let [nodata, skipdata] = ["nodata", "skipdata"].map(|name| table[name].as_primitive::<UInt32Type>());
        for row in 0..table.num_rows() {
            let hour_s = hours.value(row);
            // Of an hour that only holds the end of a lost window nothing was logged.
            let logged = records.value(row) > 0 || nodata.value(row) > 0 || skipdata.value(row) > 0;
            if logged && !names.is_null(row) && (from_s..to_s).contains(&hour_s) {
                covered_s.entry(names.value(row)).or_default().push((hour_s, i64::from(lost.value(row))));
            }
        }
    }
    let window_s = (to_s - from_s).max(HOUR_S) as f64;
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for (name, mut hours) in covered_s {
        hours.sort_unstable();
        let hours = hours.chunk_by(|a, b| a.0 == b.0);
        let covered_s = hours.map(|rows| (HOUR_S - rows.iter().map(|(_, lost_s)| lost_s).sum::<i64>()).max(0));
        shares.insert(name.to_owned(), covered_s.map(|covered_s| covered_s as f64 / window_s).sum());
    }
    for share in shares.values_mut() {
        *share = (share.min(1.0) * 1e4).round() / 1e4;
    }
    shares
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn table(rows: &[(&str, i64, u32)]) -> RecordBatch {
        rows_with(rows.iter().map(|&(name, hour_s, lost_s)| (name, hour_s, 1, lost_s, 0)).collect())
    }

    /// Rows of ENI, hour, number of records and lost minutes.
    pub(crate) fn rows_of(rows: &[(&str, i64, u64, u64)]) -> RecordBatch {
        rows_with(rows.iter().map(|&(name, hour_s, records, minutes)| (name, hour_s, records, 0, minutes)).collect())
    }

    fn rows_with(rows: Vec<(&str, i64, u64, u32, u64)>) -> RecordBatch {
        let (words, numbers) =
            (|| StringArray::from(vec![Some("x"); rows.len()]), |n| UInt32Array::from(vec![n; rows.len()]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row.1)).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(words()),
            Arc::new(words()),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("i-{}", row.0)))),
            Arc::new(words()),
            Arc::new(words()),
            Arc::new(BooleanArray::from(vec![false; rows.len()])),
            Arc::new(numbers(60)),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.2))),
            Arc::new(numbers(0)),
            Arc::new(numbers(0)),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.3))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4))),
        ];
        RecordBatch::try_new(coverage_schema(), columns).unwrap()
    }

    #[test]
    fn facts_come_from_the_first_row_that_tells_them() {
        let told = table(&[("eni-1", 3_600, 0)]);
        let place = told.schema().index_of("instance_id").unwrap();
        let mut columns = told.columns().to_vec();
        columns[place] = Arc::new(StringArray::from(vec![None::<&str>]));
        let silent = RecordBatch::try_new(told.schema(), columns).unwrap();
        for tables in [vec![silent.clone(), told.clone()], vec![told, silent]] {
            assert_eq!(host_facts(&tables)["eni-1"].instance_id.as_deref(), Some("i-eni-1"));
        }
    }

    #[test]
    fn lost_windows_and_silent_hours_lower_the_share() {
        let tables = [table(&[("a", 0, 0), ("a", 3_600, 360), ("b", 0, 0)]), table(&[("a", 0, 0), ("a", 7_200, 0)])];
        let shares = coverage_shares(&tables, 0, 4 * 3_600);
        assert_eq!(shares, BTreeMap::from([("a".to_owned(), 0.725), ("b".to_owned(), 0.25)]));
        assert_eq!(host_facts(&tables)["b"].instance_id.as_deref(), Some("i-b"));
    }
}
