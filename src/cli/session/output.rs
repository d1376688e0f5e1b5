//! Writes results of queries as a table, CSV, JSON, JSON Lines or Parquet.

use super::table::{Place, table};
use super::text::{plan_text, text_options};
use crate::cli::exit::Failure;
use crate::sql::head;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::ArrayFormatter;
use clap::ValueEnum;
use flow::printable::EscapedJson;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::collections::HashSet;
use std::io::{ErrorKind, Write};
use std::sync::Arc;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum RowFormat {
    /// For people
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON array of objects
    Json,
    /// One JSON object per line
    Jsonl,
    /// One Parquet file
    Parquet,
}

impl RowFormat {
    /// Returns the format for a file's name, by its extension.
    pub(in crate::cli) fn of_file(name: &std::path::Path) -> Option<Self> {
        match name.extension()?.to_ascii_lowercase().to_str()? {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What the looks of a result depend on besides its format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Where a table is shown.
    pub(super) place: Place,
    /// Cells of CSV that a spreadsheet would compute are quoted.
    pub(super) csv_safe: bool,
}

/// Writes the rows of one result, batch by batch.
pub(super) enum RowWriter<W: Write + Send> {
    Table { out: W, schema: SchemaRef, batches: Vec<RecordBatch>, place: Place },
    Csv { out: W, cells: CsvCells },
    Json { out: arrow::json::ArrayWriter<EscapedJson<W>>, schema: SchemaRef },
    Jsonl { out: arrow::json::LineDelimitedWriter<EscapedJson<W>>, schema: SchemaRef },
    Parquet { out: Box<ArrowWriter<W>>, schema: SchemaRef },
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => error.into(),
            other => Failure::failed(other),
        }
    }
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(error) => match error.downcast::<std::io::Error>() {
                Ok(error) => (*error).into(),
                Err(error) => Failure::failed(error),
            },
            other if other.to_string().contains("Broken pipe") => std::io::Error::from(ErrorKind::BrokenPipe).into(),
            other => Failure::failed(other),
        }
    }
}

impl<W: Write + Send> RowWriter<W> {
    /// Starts a result.
    pub(super) fn begin(format: RowFormat, look: Look, schema: SchemaRef, mut out: W) -> Result<Self, Failure> {
        Ok(match format {
            RowFormat::Table => Self::Table { out, schema, batches: Vec::new(), place: look.place },
            RowFormat::Csv => {
                let cells = CsvCells { safe: look.csv_safe };
                let names = schema.fields().iter().map(|field| cells.text(head(field.name()))).collect::<Vec<_>>();
                writeln!(out, "{}", names.join(","))?;
                Self::Csv { out, cells }
            }
            RowFormat::Json => {
                let json = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
                Self::Json { out: json.build(EscapedJson::new(out)), schema: once_each(&schema) }
            }
            RowFormat::Jsonl => {
                let json = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
                Self::Jsonl { out: json.build(EscapedJson::new(out)), schema: once_each(&schema) }
            }
            RowFormat::Parquet => {
                let level = ZstdLevel::try_new(3)?;
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                let schema = in_milliseconds(&once_each(&schema));
                Self::Parquet { out: Box::new(ArrowWriter::try_new(out, schema.clone(), Some(properties))?), schema }
            }
        })
    }

    /// Writes some rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        match self {
            Self::Table { batches, .. } => batches.push(rows.clone()),
            Self::Csv { out, cells } => cells.write(out, rows)?,
            Self::Json { out, schema } => out.write(&with_schema(rows, schema)?)?,
            Self::Jsonl { out, schema } => out.write(&with_schema(rows, schema)?)?,
            Self::Parquet { out, schema } => out.write(&with_schema(rows, schema)?)?,
        }
        Ok(())
    }

    /// Ends the result, and returns the writer if the format leaves it usable.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Table { mut out, schema, batches, place } => {
                if let Some(plan) = plan_text(&batches) {
                    out.write_all(plan.as_bytes())?;
                    out.flush()?;
                    return Ok(());
                }
                out.write_all(table(&schema, &batches, place)?.as_bytes())?;
                out.flush()?;
            }
            Self::Csv { mut out, .. } => out.flush()?,
            Self::Json { mut out, .. } => {
                out.finish()?;
                let mut out = out.into_inner().into_inner();
                writeln!(out)?;
                out.flush()?;
            }
            Self::Jsonl { mut out, .. } => {
                out.finish()?;
                out.into_inner().flush()?;
            }
            Self::Parquet { out, .. } => {
                let mut out = out.into_inner()?;
                out.flush()?;
            }
        }
        Ok(())
    }
}

/// Returns the schema of a Parquet file of such rows: Parquet has no times in seconds, and would store plain numbers.
fn in_milliseconds(schema: &SchemaRef) -> SchemaRef {
    fn of(field: &FieldRef) -> FieldRef {
        let kind = match field.data_type() {
            DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
            DataType::List(item) => DataType::List(of(item)),
            DataType::LargeList(item) => DataType::LargeList(of(item)),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(of).collect()),
            kind => kind.clone(),
        };
        Arc::new(field.as_ref().clone().with_data_type(kind))
    }
    let fields: Fields = schema.fields().iter().map(of).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Returns the schema with the heads that people read. Formats that find columns by name need each name once: a later
/// one of the same name has its place behind it.
fn once_each(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> = HashSet::new();
    let mut named = |(place, field): (usize, &FieldRef)| {
        let mut name = head(field.name()).to_owned();
        while !taken.insert(name.clone()) {
            name = format!("{name}_{}", place + 1);
        }
        Arc::new(field.as_ref().clone().with_name(name))
    };
    let fields: Fields = schema.fields().iter().enumerate().map(&mut named).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Returns rows with the names and types of `schema`.
fn with_schema(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() { Ok(column.clone()) } else { cast(column, field.data_type()) }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
}

/// How cells are written as CSV.
#[derive(Clone, Copy, Debug)]
pub(super) struct CsvCells {
    /// Texts that a spreadsheet would compute are quoted by an apostrophe.
    safe: bool,
}

impl CsvCells {
    /// Writes rows (RFC 4180, lines end with a line feed); lists and structs as their text.
    fn write(self, out: &mut impl Write, rows: &RecordBatch) -> Result<(), Failure> {
        let options = text_options();
        let columns = rows.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let text: Vec<bool> = rows.schema().fields().iter().map(|field| may_need_quotes(field.data_type())).collect();
        let mut line = String::new();
        for row in 0..rows.num_rows() {
            line.clear();
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                let value = column.value(row).try_to_string()?;
                if text[index] { line.push_str(&self.text(&value)) } else { line.push_str(&value) }
            }
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn text(self, text: &str) -> String {
        let computes = self.safe && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let quote = if computes { "'" } else { "" };
        if computes || text.contains([',', '"', '\n', '\r']) {
            format!("\"{quote}{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    }
}

fn may_need_quotes(kind: &DataType) -> bool {
    !(kind.is_numeric() || matches!(kind, DataType::Boolean | DataType::Timestamp(_, _) | DataType::Date32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray, TimestampSecondArray};
    use arrow::datatypes::TimestampMillisecondType;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::ConvertedType;

    fn written(format: RowFormat) -> Vec<u8> {
        let columns: [(&str, ArrayRef); 3] = [
            ("text", Arc::new(StringArray::from(vec![Some("a,\"b\""), None]))),
            ("n", Arc::new(Int64Array::from(vec![None, Some(7)]))),
            ("at", Arc::new(TimestampSecondArray::from(vec![0, 86_400]).with_timezone("UTC"))),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        written_rows(format, false, &[rows.slice(0, 1), rows.slice(1, 1)])
    }

    fn written_rows(format: RowFormat, csv_safe: bool, rows: &[RecordBatch]) -> Vec<u8> {
        let mut out = Vec::new();
        let look = Look { place: Place::File, csv_safe };
        let mut writer = RowWriter::begin(format, look, rows[0].schema(), &mut out).unwrap();
        rows.iter().for_each(|rows| writer.write(rows).unwrap());
        writer.finish().unwrap();
        out
    }

    #[test]
    fn data_of_others_is_kept_true_and_tamed_on_request() {
        let texts = ["=1+1", "+1", "-1", "@a", "\tb", "\rc", "a\u{1b}\u{7f}\u{9b}", "a=b"];
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let twice = [("=n", column.clone()), ("=n\u{1}2", column), ("n", Arc::new(Int64Array::from(vec![-1; 8])) as _)];
        let rows = [RecordBatch::try_from_iter(twice).unwrap()];
        let text = |format, safe| String::from_utf8(written_rows(format, safe, &rows)).unwrap();
        let plain = text(RowFormat::Csv, false);
        assert!(plain.starts_with("=n,=n,n\n=1+1,=1+1,-1\n+1,+1,-1\n"), "{plain}");
        assert!(plain.ends_with("\"\rc\",\"\rc\",-1\na\u{1b}\u{7f}\u{9b},a\u{1b}\u{7f}\u{9b},-1\na=b,a=b,-1\n"));
        let safe = text(RowFormat::Csv, true);
        assert!(safe.starts_with("\"'=n\",\"'=n\",n\n\"'=1+1\",\"'=1+1\",-1\n\"'+1\",\"'+1\",-1\n"), "{safe}");
        assert!(safe.contains("\"'\tb\"") && safe.contains("\"'\rc\"") && safe.ends_with("\na=b,a=b,-1\n"), "{safe}");
        let json = text(RowFormat::Jsonl, false);
        assert!(json.starts_with(r#"{"=n":"=1+1","=n_2":"=1+1","n":-1}"#), "{json}");
        assert!(json.contains(r#"{"=n":"a\u001b\u007f\u009b","#), "{json}");
    }

    #[test]
    fn every_format_tells_the_same_rows() {
        let text = |format| String::from_utf8(written(format)).unwrap();
        let csv = "text,n,at\n\"a,\"\"b\"\"\",,1970-01-01T00:00:00Z\n,7,1970-01-02T00:00:00Z\n";
        assert_eq!(text(RowFormat::Csv), csv);
        let (first, second) = (
            r#"{"text":"a,\"b\"","n":null,"at":"1970-01-01T00:00:00Z"}"#,
            r#"{"text":null,"n":7,"at":"1970-01-02T00:00:00Z"}"#,
        );
        assert_eq!(text(RowFormat::Jsonl), format!("{first}\n{second}\n"));
        assert_eq!(text(RowFormat::Json), format!("[{first},{second}]\n"));
        assert!(text(RowFormat::Table).contains("|       | 7 | 1970-01-02T00:00:00Z |"), "{}", text(RowFormat::Table));
        let file = bytes::Bytes::from(written(RowFormat::Parquet));
        let file = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        // Readers that know nothing of Arrow use this.
        assert_eq!(file.parquet_schema().column(2).converted_type(), ConvertedType::TIMESTAMP_MILLIS);
        let rows = file.build().unwrap().next().unwrap().unwrap();
        assert_eq!(rows.column(2).as_primitive::<TimestampMillisecondType>().values(), &[0, 86_400_000]);
    }
}
