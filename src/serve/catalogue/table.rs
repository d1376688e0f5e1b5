//! Tables of the catalogue: their columns as listed in `columns.txt`, and rows that name only the columns they fill.

use crate::serve::encode::PG_TYPE;
use arrow::array::{ArrayRef, BooleanArray, Float32Array, Float64Array, RecordBatch, StringArray, new_null_array};
use arrow::array::{Int16Array, Int32Array, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// The columns of every table as PostgreSQL 15 itself lists them in `pg_attribute`: the name of the table, then
/// `name:type` for each column, with a `?` where a value may be NULL. Types without a representation of their own here
/// are text.
const COLUMNS: &str = include_str!("columns.txt");

/// A value of a row.
#[derive(Clone, Debug)]
pub(super) enum CellValue {
    Text(String),
    Number(i64),
    Truth(bool),
}

impl From<&str> for CellValue {
    fn from(text: &str) -> Self {
        CellValue::Text(text.to_owned())
    }
}

impl From<i32> for CellValue {
    fn from(number: i32) -> Self {
        CellValue::Number(i64::from(number))
    }
}

impl From<bool> for CellValue {
    fn from(truth: bool) -> Self {
        CellValue::Truth(truth)
    }
}

/// A row: values by column. The other columns are NULL, or 0, false or empty where NULL is not allowed.
pub(super) type CatalogRow = HashMap<&'static str, CellValue>;

/// The tables of the catalogue, without their rows.
#[derive(Debug)]
pub(super) struct Definitions(HashMap<&'static str, SchemaRef>);

impl Definitions {
    /// Reads the list of columns.
    pub(super) fn new() -> Self {
        let mut found: HashMap<&'static str, Vec<Field>> = HashMap::new();
        let mut table = "";
        for line in COLUMNS.lines() {
            let mut words = line.split_whitespace();
            if !line.starts_with(' ') {
                table = words.next().unwrap_or_default();
            }
            found.entry(table).or_default().extend(words.map(field));
        }
        Self(found.into_iter().map(|(name, fields)| (name, Arc::new(Schema::new(fields)))).collect())
    }

    /// Returns the names of all tables, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().map(|name| (*name).to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Returns the columns of a table.
    pub(super) fn schema(&self, name: &str) -> Option<&SchemaRef> {
        self.0.get(name)
    }
}

/// Reads `relname:text`, `relacl:text?`.
fn field(word: &str) -> Field {
    let (name, kind) = word.split_once(':').unwrap_or((word, "text"));
    let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    let data = match kind {
        "bool" => DataType::Boolean,
        "bytea" => DataType::Binary,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "int2" => DataType::Int16,
        "int4" | "oid" | "regclass" | "regnamespace" | "regtype" => DataType::Int32,
        "int8" => DataType::Int64,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "int4[]" => list(DataType::Int32),
        "text[]" => list(DataType::Utf8),
        // Functions of types are shown by name.
        _ => DataType::Utf8,
    };
    let field = Field::new(name, data, nullable);
    if matches!(kind, "oid" | "regclass" | "regnamespace" | "regproc" | "regtype") {
        return field.with_metadata(HashMap::from([(PG_TYPE.to_owned(), kind.to_owned())]));
    }
    field
}

/// Creates a table from rows.
///
/// # Errors
/// When a row lacks a value that has no default.
pub(super) fn table(schema: &SchemaRef, rows: &[CatalogRow]) -> Result<Arc<MemTable>> {
    let columns: Vec<ArrayRef> = schema.fields().iter().map(|field| column(field, rows)).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(DataFusionError::from)?;
    Ok(Arc::new(MemTable::try_new(schema.clone(), vec![vec![batch]])?))
}

fn column(field: &Field, rows: &[CatalogRow]) -> ArrayRef {
    let cells = rows.iter().map(|row| row.get(field.name().as_str()));
    let number = |cell: Option<&CellValue>| match cell {
        Some(CellValue::Number(number)) => Some(*number),
        _ => (!field.is_nullable()).then_some(0),
    };
    match field.data_type() {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
            Some(CellValue::Truth(truth)) => Some(*truth),
            _ => (!field.is_nullable()).then_some(false),
        }))),
        DataType::Int16 => Arc::new(Int16Array::from_iter(cells.map(|cell| number(cell).map(|number| number as i16)))),
        DataType::Int32 => Arc::new(Int32Array::from_iter(cells.map(|cell| number(cell).map(|number| number as i32)))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(cells.map(number))),
        DataType::Float32 => {
            Arc::new(Float32Array::from_iter(cells.map(|cell| number(cell).map(|number| number as f32))))
        }
        DataType::Float64 => {
            Arc::new(Float64Array::from_iter(cells.map(|cell| number(cell).map(|number| number as f64))))
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Some(CellValue::Text(text)) => Some(text.as_str()),
            _ => (!field.is_nullable()).then_some(""),
        }))),
        other => new_null_array(other, rows.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::datasource::TableProvider;

    #[test]
    fn every_column_has_a_type() {
        const TYPES: &str = "bool bytea float4 float8 int2 int4 int8 oid regclass regnamespace regproc regtype text timestamp timestamptz int4[] text[]";
        for word in COLUMNS.split_whitespace().filter(|word| word.contains(':')) {
            let (_, kind) = word.split_once(':').unwrap();
            assert!(TYPES.split(' ').any(|known| known == kind.trim_end_matches('?')), "{word}");
        }
        let definitions = Definitions::new();
        assert!(definitions.names().iter().all(|name| name.starts_with("pg_")));
        assert_eq!(definitions.schema("pg_am").unwrap().fields().len(), 4);
    }

    #[test]
    fn what_a_row_does_not_name_has_a_default() {
        let definitions = Definitions::new();
        let row = CatalogRow::from([("oid", 7.into()), ("amname", "heap".into())]);
        let made = table(definitions.schema("pg_am").unwrap(), &[row]).unwrap();
        assert_eq!(made.schema().field(0).metadata()[PG_TYPE], "oid");
        for name in definitions.names() {
            let schema = definitions.schema(&name).unwrap();
            assert!(table(schema, &[]).is_ok(), "{name}");
        }
    }
}
