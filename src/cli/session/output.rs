//! Writes results of queries as a table, CSV, JSON, JSON Lines or Parquet.

use super::text::{plan_text, text_options};
use crate::cli::exit::Failure;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::ArrayFormatter;
use arrow::util::pretty::pretty_format_batches_with_options;
use clap::ValueEnum;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
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

/// Writes the rows of one result, batch by batch.
pub(in crate::cli) enum RowWriter<W: Write + Send> {
    Table { out: W, schema: SchemaRef, batches: Vec<RecordBatch> },
    Csv { out: W },
    Json { out: arrow::json::ArrayWriter<W> },
    Jsonl { out: arrow::json::LineDelimitedWriter<W> },
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
    /// Starts a result; `header` is for CSV.
    pub(in crate::cli) fn begin(format: RowFormat, schema: SchemaRef, mut out: W) -> Result<Self, Failure> {
        Ok(match format {
            RowFormat::Table => Self::Table { out, schema, batches: Vec::new() },
            RowFormat::Csv => {
                let names = schema.fields().iter().map(|field| csv_text(field.name())).collect::<Vec<_>>();
                writeln!(out, "{}", names.join(","))?;
                Self::Csv { out }
            }
            RowFormat::Json => {
                Self::Json { out: arrow::json::WriterBuilder::new().with_explicit_nulls(true).build(out) }
            }
            RowFormat::Jsonl => {
                Self::Jsonl { out: arrow::json::WriterBuilder::new().with_explicit_nulls(true).build(out) }
            }
            RowFormat::Parquet => {
                let level = ZstdLevel::try_new(3)?;
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                let schema = in_milliseconds(&schema);
                Self::Parquet { out: Box::new(ArrowWriter::try_new(out, schema.clone(), Some(properties))?), schema }
            }
        })
    }

    /// Writes some rows.
    pub(in crate::cli) fn write(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        match self {
            Self::Table { batches, .. } => batches.push(rows.clone()),
            Self::Csv { out } => write_csv(out, rows)?,
            Self::Json { out } => out.write(rows)?,
            Self::Jsonl { out } => out.write(rows)?,
            Self::Parquet { out, schema } => {
                let columns = rows.columns().iter().zip(schema.fields());
                let columns = columns.map(|(column, field)| {
                    if column.data_type() == field.data_type() {
                        Ok(column.clone())
                    } else {
                        cast(column, field.data_type())
                    }
                });
                let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                out.write(&RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)?;
            }
        }
        Ok(())
    }

    /// Ends the result, and returns the writer if the format leaves it usable.
    pub(in crate::cli) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Table { mut out, schema, mut batches } => {
                if let Some(plan) = plan_text(&batches) {
                    out.write_all(plan.as_bytes())?;
                    out.flush()?;
                    return Ok(());
                }
                if batches.is_empty() {
                    batches.push(RecordBatch::new_empty(schema));
                }
                writeln!(out, "{}", pretty_format_batches_with_options(&batches, &text_options())?)?;
                out.flush()?;
            }
            Self::Csv { mut out } => out.flush()?,
            Self::Json { mut out } => {
                out.finish()?;
                let mut out = out.into_inner();
                writeln!(out)?;
                out.flush()?;
            }
            Self::Jsonl { mut out } => {
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

/// Writes rows as CSV (RFC 4180, lines end with a line feed); lists and structs as their text.
fn write_csv(out: &mut impl Write, rows: &RecordBatch) -> Result<(), Failure> {
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
            if text[index] { line.push_str(&csv_text(&value)) } else { line.push_str(&value) }
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn may_need_quotes(kind: &DataType) -> bool {
    !(kind.is_numeric() || matches!(kind, DataType::Boolean | DataType::Timestamp(_, _) | DataType::Date32))
}

fn csv_text(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
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
        let mut out = Vec::new();
        let mut writer = RowWriter::begin(format, rows.schema(), &mut out).unwrap();
        writer.write(&rows.slice(0, 1)).unwrap();
        writer.write(&rows.slice(1, 1)).unwrap();
        writer.finish().unwrap();
        out
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
