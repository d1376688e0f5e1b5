//! The table `coverage`: what each log told in each hour, flow logs and the logs beside them.

use super::fold::LogHours;
use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Int8Array, RecordBatch, StringArray, TimestampSecondArray, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use rollup::coverage::coverage_schema as of_flows;
use std::sync::Arc;

/// Returns the schema of `coverage`: that of the interfaces' coverage, and behind it the `log` (`vpc_flow` for interfaces),
/// its `events` in the hour (records of an interface, acts of another log) and the `objects` that told them, NULL for flow
/// logs. Rows of other logs have an account and a region where the log knows them, and no interface.
pub fn coverage_schema() -> SchemaRef {
    let mut fields = of_flows().fields().to_vec();
    fields.push(Arc::new(Field::new_dictionary("log", DataType::Int8, DataType::Utf8, false)));
    fields.push(Arc::new(Field::new("events", DataType::UInt64, false)));
    fields.push(Arc::new(Field::new("objects", DataType::UInt64, true)));
    Arc::new(Schema::new(fields))
}

/// Returns `coverage` of flow logs and of the logs beside them.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together, which a test rules out.
pub fn coverage(flows: &[RecordBatch], told: &LogHours) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut batches: Vec<RecordBatch> = flows.iter().map(of_flow_logs).collect::<Result<_, _>>()?;
    if !told.is_empty() {
        batches.push(of_others(told)?);
    }
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(coverage_schema()));
    }
    Ok(batches)
}

/// Adds the columns that all logs have; the records are shared, and the other two cost a byte and nothing for each row.
fn of_flow_logs(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let log: DictionaryArray<Int8Type> =
        DictionaryArray::try_new(Int8Array::from(vec![0; rows]), Arc::new(StringArray::from(vec!["vpc_flow"])))?;
    let records = batch.column_by_name("records").cloned();
    let records = records.unwrap_or_else(|| new_null_array(&DataType::UInt64, rows));
    let mut columns = batch.columns().to_vec();
    columns.extend([Arc::new(log) as ArrayRef, records, new_null_array(&DataType::UInt64, rows)]);
    RecordBatch::try_new(coverage_schema(), columns)
}

fn of_others(told: &LogHours) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<_> = told
        .iter()
        .flat_map(|((log, account, region), hours)| {
            hours.iter().map(move |(hour_s, told)| (*log, account, region, *hour_s, told))
        })
        .collect();
    let schema = coverage_schema();
    let log: DictionaryArray<Int8Type> = rows.iter().map(|(log, ..)| Some(log.name())).collect();
    let column = |field: &Arc<Field>| -> ArrayRef {
        match field.name().as_str() {
            "hour" => {
                Arc::new(TimestampSecondArray::from_iter_values(rows.iter().map(|row| row.3)).with_timezone("UTC"))
            }
            "account_id" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
            "region" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2))),
            "log" => Arc::new(log.clone()),
            "events" => Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4.acts))),
            "objects" => Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4.objects))),
            // What only flow logs have.
            _ if field.is_nullable() => new_null_array(field.data_type(), rows.len()),
            _ => match field.data_type() {
                DataType::Boolean => Arc::new(BooleanArray::from(vec![false; rows.len()])),
                DataType::UInt32 => Arc::new(UInt32Array::from(vec![0; rows.len()])),
                _ => Arc::new(UInt64Array::from(vec![0; rows.len()])),
            },
        }
    };
    RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accesses::LogHour;
    use access::Log;
    use arrow::util::pretty::pretty_format_batches;

    #[test]
    fn each_log_has_its_hours() {
        let told = |hour_s, acts| (hour_s, LogHour { acts, objects: 2 });
        let hours = LogHours::from([
            ((Log::CloudTrail, "112233445566".to_owned(), "eu-west-1".to_owned()), [told(0, 7), told(7_200, 1)].into()),
            ((Log::Okta, String::new(), String::new()), [told(3_600, 3)].into()),
        ]);
        let batches = coverage(&[RecordBatch::new_empty(of_flows())], &hours).unwrap();
        assert_eq!((batches.len(), batches[1].num_rows()), (2, 3));
        let shown = pretty_format_batches(&batches[1..]).unwrap().to_string();
        assert!(shown.contains("cloudtrail | 7      | 2 ") && shown.contains("okta       | 3 "), "{shown}");
        assert_eq!(coverage(&[], &LogHours::default()).unwrap()[0].num_rows(), 0);
    }
}
