//! Incidents as flat tables: `incidents`, `incident_timeline`, `incident_nodes` and `incident_edges`.
//!
//! Columns have the names of the JSON fields, except where these are words of SQL (`from`, `to`). Times are
//! `TIMESTAMP(MILLIS, UTC)`, addresses text and numbers signed, as in `findings`.

mod graph;

use super::model::{Incident, Party, TimelineEntry};
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use flow::Address;
use graph::{edges_batch, nodes_batch};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names of the tables, in the order of [`incident_tables`].
pub const TABLES: [&str; 4] = ["incidents", "incident_timeline", "incident_nodes", "incident_edges"];

/// Returns the tables of incidents with their names: rows in the order of the incidents, and within one in its own order.
/// Without incidents the tables have their columns and no row.
///
/// # Errors
/// [`ArrowError`] when a table has too many bytes of text for one batch.
pub fn incident_tables(incidents: &[Incident]) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
    let [incident, timeline, nodes, edges] = TABLES;
    Ok(vec![
        (incident, incidents_batch(incidents)?),
        (timeline, timeline_batch(incidents)?),
        (nodes, nodes_batch(incidents)?),
        (edges, edges_batch(incidents)?),
    ])
}

/// A column by name; the flag says whether it may be NULL.
type Column = (&'static str, ArrayRef, bool);

fn batch(columns: Vec<Column>) -> Result<RecordBatch, ArrowError> {
    let field = |(name, array, nullable): &Column| Field::new(*name, array.data_type().clone(), *nullable);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<Field>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array, _)| array).collect())
}

fn text<T: AsRef<str>>(name: &'static str, values: impl Iterator<Item = T>) -> Column {
    (name, Arc::new(StringArray::from_iter_values(values)), false)
}

fn optional_text<T: AsRef<str>>(name: &'static str, values: impl Iterator<Item = Option<T>>) -> Column {
    (name, Arc::new(values.collect::<StringArray>()), true)
}

fn texts(name: &'static str, rows: impl Iterator<Item = Vec<String>>) -> Column {
    let item = Arc::new(Field::new("item", DataType::Utf8, false));
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item);
    for row in rows {
        row.iter().for_each(|value| lists.values().append_value(value));
        lists.append(true);
    }
    (name, Arc::new(lists.finish()), false)
}

fn time(name: &'static str, seconds: impl Iterator<Item = i64>) -> Column {
    let millis = TimestampMillisecondArray::from_iter_values(seconds.map(|second| second.saturating_mul(1_000)));
    (name, Arc::new(millis.with_timezone("UTC")), false)
}

fn optional_time(name: &'static str, seconds: impl Iterator<Item = Option<i64>>) -> Column {
    let millis = seconds.map(|second| second.map(|second| second.saturating_mul(1_000)));
    (name, Arc::new(millis.collect::<TimestampMillisecondArray>().with_timezone("UTC")), true)
}

fn number(name: &'static str, values: impl Iterator<Item = i32>) -> Column {
    (name, Arc::new(Int32Array::from_iter_values(values)), false)
}

fn optional_number(name: &'static str, values: impl Iterator<Item = Option<i32>>) -> Column {
    (name, Arc::new(values.collect::<Int32Array>()), true)
}

/// Counts, at most those of a signed number.
fn count(name: &'static str, values: impl Iterator<Item = u64>) -> Column {
    (name, Arc::new(Int64Array::from_iter_values(values.map(signed))), false)
}

fn optional_count(name: &'static str, values: impl Iterator<Item = Option<u64>>) -> Column {
    (name, Arc::new(values.map(|value| value.map(signed)).collect::<Int64Array>()), true)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn real(name: &'static str, values: impl Iterator<Item = f64>) -> Column {
    (name, Arc::new(Float64Array::from_iter_values(values)), false)
}

fn optional_real(name: &'static str, values: impl Iterator<Item = Option<f64>>) -> Column {
    (name, Arc::new(values.collect::<Float64Array>()), true)
}

fn flag(name: &'static str, values: impl Iterator<Item = bool>) -> Column {
    (name, Arc::new(values.map(Some).collect::<BooleanArray>()), false)
}

fn optional_flag(name: &'static str, values: impl Iterator<Item = Option<bool>>) -> Column {
    (name, Arc::new(values.collect::<BooleanArray>()), true)
}

/// Returns the word of a value as JSON has it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Returns the place of a row in its incident, from 1.
fn position(at: usize) -> i32 {
    i32::try_from(at + 1).unwrap_or(i32::MAX)
}

fn incidents_batch(rows: &[Incident]) -> Result<RecordBatch, ArrowError> {
    let each = || rows.iter();
    batch(vec![
        text("id", each().map(|row| &row.id)),
        count("revision", each().map(|row| u64::from(row.revision))),
        text("status", each().map(|row| word(&row.status))),
        optional_text("closed_reason", each().map(|row| row.closed_reason.as_ref().map(word))),
        optional_text("merged_into", each().map(|row| row.merged_into.as_ref())),
        text("change", each().map(|row| word(&row.change))),
        text("title", each().map(|row| &row.title)),
        text("severity", each().map(|row| row.severity.as_str())),
        real("score", each().map(|row| row.score)),
        real("expected_per_day", each().map(|row| row.expected_per_day)),
        texts("hosts", each().map(|row| distinct(row.hosts.iter().map(|host| host.host)))),
        texts("remotes", each().map(|row| distinct(row.remotes.iter().map(|remote| remote.address)))),
        texts("principals", each().map(|row| row.principals.clone())),
        time("first_seen", each().map(|row| row.first_seen_s)),
        time("last_seen", each().map(|row| row.last_seen_s)),
        time("opened_at", each().map(|row| row.opened_at_s)),
        time("updated_at", each().map(|row| row.updated_at_s)),
        texts("tactics", each().map(|row| row.stages.iter().map(|stage| word(&stage.tactic)).collect())),
        texts("techniques", each().map(techniques)),
        texts("subjects", each().map(|row| row.subjects.clone())),
        count("findings", each().map(|row| row.findings)),
        texts("related", each().map(|row| row.related.clone())),
        optional_real("coverage", each().map(|row| row.coverage)),
    ])
}

/// Returns addresses as text in their order, each once.
fn distinct(addresses: impl Iterator<Item = Address>) -> Vec<String> {
    let mut told = BTreeSet::new();
    addresses.filter(|address| told.insert(*address)).map(|address| address.to_string()).collect()
}

fn techniques(row: &Incident) -> Vec<String> {
    let all: BTreeSet<&String> = row.stages.iter().flat_map(|stage| &stage.techniques).collect();
    all.into_iter().cloned().collect()
}

fn timeline_batch(incidents: &[Incident]) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<(&str, usize, &TimelineEntry)> = incidents
        .iter()
        .flat_map(|row| row.timeline.iter().enumerate().map(|(at, entry)| (row.id.as_str(), at, entry)))
        .collect();
    let each = || rows.iter().map(|(.., entry)| *entry);
    batch(vec![
        text("incident_id", rows.iter().map(|(id, ..)| *id)),
        number("position", rows.iter().map(|(_, at, _)| position(*at))),
        time("time", each().map(|row| row.time_s)),
        time("end", each().map(|row| row.end_s)),
        text("kind", each().map(|row| word(&row.kind))),
        text("actor", each().map(|row| row.actor.to_string())),
        optional_text("target", each().map(|row| row.target.as_ref().map(Party::to_string))),
        optional_number("port", each().map(|row| row.port.map(i32::from))),
        optional_text("tactic", each().map(|row| row.tactic.as_ref().map(word))),
        optional_count("bytes", each().map(|row| row.bytes)),
        optional_text("subject", each().map(|row| row.subject.as_ref())),
        text("text", each().map(|row| &row.text)),
        text("query", each().map(|row| &row.query)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::read_incidents;

    fn tables(incidents: &[Incident]) -> Vec<(&'static str, RecordBatch)> {
        incident_tables(incidents).unwrap()
    }

    fn incidents() -> Vec<Incident> {
        let lines = include_bytes!("../../tests/slt/incidents.jsonl");
        read_incidents(&lines[..], "incidents.jsonl").unwrap()
    }

    #[test]
    fn tables_have_their_columns_without_incidents() {
        let (none, some) = (tables(&[]), tables(&incidents()));
        for ((name, none), (_, some)) in none.iter().zip(&some) {
            assert_eq!((none.num_rows(), none.schema()), (0, some.schema()), "{name}");
        }
        let rows: Vec<usize> = some.iter().map(|(_, rows)| rows.num_rows()).collect();
        // The incident without a graph has its host and its remote all the same.
        assert_eq!(rows, [2, 4, 10, 6]);
    }

    #[test]
    fn every_column_is_in_the_docs() {
        let page = include_str!("../../docs/incidents-reach.md");
        for (name, rows) in tables(&[]) {
            let (_, about) = page.split_once(&format!("**`{name}`**")).unwrap();
            let about = about.split("\n\n**`").next().unwrap_or_default();
            for field in rows.schema().fields() {
                assert!(about.contains(&format!("`{}`", field.name())), "{name}.{} has no word", field.name());
            }
        }
    }
}
