//! Findings as Parquet: the columns of the JSON objects, in the same order.
//!
//! Times are `TIMESTAMP(MILLIS, UTC)`, `techniques` a list of texts, `evidence` a JSON object as text (its names
//! differ by detection). Numbers are signed: Athena and Hive cannot read unsigned ones.

use std::io::Write;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::ChunkReader;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;

use super::error::ReportError;
use super::jsonl::check_version;
use crate::detect::finding::Finding;
use flow::codes::Role;

/// The time zone as readers know it.
const UTC: &str = "UTC";
/// Findings in one batch; bounds the memory of writing.
const BATCH_ROWS: usize = 8_192;
/// The key of the run's id in the file's metadata.
const RUN_ID_KEY: &str = "flowsift.run_id";
/// What is being written, for messages.
const FINDINGS: &str = "findings";

/// Returns the columns of findings in Parquet, schema version 2.
pub fn finding_schema() -> Schema {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())), false);
    let texts = |name: &str| Field::new(name, DataType::List(Arc::new(text("item", false))), false);
    let number = |name: &str, nullable: bool| Field::new(name, DataType::Int32, nullable);
    let real = |name: &str, nullable: bool| Field::new(name, DataType::Float64, nullable);
    Schema::new(vec![
        number("schema_version", false),
        text("id", false),
        text("subject", false),
        text("incident_id", true),
        text("detection", false),
        text("title", false),
        text("severity", false),
        real("score", false),
        real("p_value", true),
        text("account_id", true),
        text("region", true),
        text("host", true),
        text("interface_id", true),
        text("instance_id", true),
        text("vpc_id", true),
        text("remote", true),
        number("port", true),
        number("protocol", true),
        text("role", true),
        text("principal", true),
        text("credential", true),
        text("source", true),
        text("app", true),
        text("object", true),
        texts("logs"),
        texts("event_ids"),
        time("first_seen"),
        time("last_seen"),
        time("window_start"),
        time("window_end"),
        texts("techniques"),
        text("evidence", false),
        text("explanation", false),
        real("coverage", true),
    ])
}

/// Writes findings as one Parquet file, compressed with zstd; without findings, the file has no rows. The id of a run goes
/// into the file's metadata, as `flowsift.run_id`.
///
/// # Errors
/// [`ReportError::Parquet`] when the writer fails.
pub fn write_parquet<W: Write + Send>(out: W, findings: &[Finding], run_id: Option<&str>) -> Result<(), ReportError> {
    let failed = |source: ParquetError| ReportError::Parquet { action: "write", name: FINDINGS.to_owned(), source };
    let metadata = run_id.map(|run_id| vec![KeyValue::new(RUN_ID_KEY.to_owned(), run_id.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
        .set_key_value_metadata(metadata)
        .build();
    let schema = Arc::new(finding_schema());
    let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).map_err(failed)?;
    for rows in findings.chunks(BATCH_ROWS) {
        let batch = finding_batch(&schema, rows).map_err(|source| ReportError::Arrow {
            action: "write",
            name: FINDINGS.to_owned(),
            source,
        })?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(())
}

fn finding_batch(schema: &Arc<Schema>, rows: &[Finding]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&Finding) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let optional =
        |of: fn(&Finding) -> Option<&str>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
    let real = |of: fn(&Finding) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(rows.iter().map(of))) };
    let number = |of: fn(&Finding) -> Option<i32>| -> ArrayRef { Arc::new(Int32Array::from_iter(rows.iter().map(of))) };
    let time = |of: fn(&Finding) -> i64| -> ArrayRef {
        let millis = rows.iter().map(|row| of(row).saturating_mul(1_000));
        Arc::new(TimestampMillisecondArray::from_iter_values(millis).with_timezone(UTC))
    };
    let texts = |of: fn(&Finding) -> &[String]| -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(Field::new("item", DataType::Utf8, false));
        rows.iter().for_each(|row| lists.append_value(of(row).iter().map(Some)));
        Arc::new(lists.finish())
    };
    let hosts = rows.iter().map(|row| row.host.map(|host| host.to_string()));
    let remotes = rows.iter().map(|row| row.remote.map(|remote| remote.to_string()));
    let evidence = rows.iter().map(|row| serde_json::to_string(&row.evidence));
    let evidence = evidence.collect::<Result<Vec<String>, _>>().map_err(|e| ArrowError::ExternalError(Box::new(e)))?;

    RecordBatch::try_new(
        Arc::clone(schema),
        vec![
            number(|row| i32::try_from(row.schema_version).ok()),
            text(|row| &row.id),
            text(|row| &row.subject),
            optional(|row| row.incident_id.as_deref()),
            text(|row| &row.detection),
            text(|row| &row.title),
            text(|row| row.severity.as_str()),
            real(|row| row.score),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.p_value))),
            optional(|row| row.account_id.as_deref()),
            optional(|row| row.region.as_deref()),
            Arc::new(StringArray::from_iter(hosts)),
            optional(|row| row.interface_id.as_deref()),
            optional(|row| row.instance_id.as_deref()),
            optional(|row| row.vpc_id.as_deref()),
            Arc::new(StringArray::from_iter(remotes)),
            number(|row| row.port.map(i32::from)),
            number(|row| row.protocol.map(i32::from)),
            optional(|row| row.role.map(Role::as_str)),
            optional(|row| row.principal.as_deref()),
            optional(|row| row.credential.as_deref()),
            optional(|row| row.source.as_deref()),
            optional(|row| row.app.as_deref()),
            optional(|row| row.object.as_deref()),
            texts(|row| &row.logs),
            texts(|row| &row.event_ids),
            time(|row| row.first_seen_s),
            time(|row| row.last_seen_s),
            time(|row| row.window_start_s),
            time(|row| row.window_end_s),
            texts(|row| &row.techniques),
            Arc::new(StringArray::from_iter_values(evidence)),
            text(|row| &row.explanation),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.coverage))),
        ],
    )
}

/// Reads findings from a Parquet file of [`write_parquet`]; other columns are ignored.
///
/// `name` is for messages only.
///
/// # Errors
/// [`ReportError::Parquet`] or [`ReportError::Arrow`] when the bytes are not Parquet, [`ReportError::Column`] when a
/// column is missing, [`ReportError::Value`] when a value does not fit its column,
/// [`ReportError::SchemaVersion`] for findings of another version.
pub fn read_parquet<R: ChunkReader + 'static>(input: R, name: &str) -> Result<Vec<Finding>, ReportError> {
    let failed = |source: ParquetError| ReportError::Parquet { action: "read", name: name.to_owned(), source };
    let reader = ParquetRecordBatchReaderBuilder::try_new(input).and_then(|builder| builder.build()).map_err(failed)?;
    let mut findings = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|source| ReportError::Arrow { action: "read", name: name.to_owned(), source })?;
        let columns = FindingColumns { name, batch: &batch, first_row: findings.len() as u64 + 1 };
        for index in 0..batch.num_rows() {
            findings.push(columns.finding(index)?);
        }
    }
    Ok(findings)
}

/// The columns of one batch, read row by row; findings are few, so clarity beats speed.
struct FindingColumns<'a> {
    name: &'a str,
    batch: &'a RecordBatch,
    first_row: u64,
}

impl FindingColumns<'_> {
    fn column(&self, column: &'static str, expected: &'static str) -> Result<&ArrayRef, ReportError> {
        self.batch.column_by_name(column).ok_or_else(|| self.missing(column, expected))
    }

    fn missing(&self, column: &'static str, expected: &'static str) -> ReportError {
        ReportError::Column { name: self.name.to_owned(), column, expected }
    }

    fn invalid(&self, index: usize, column: &'static str, got: &str, expected: &'static str) -> ReportError {
        let (name, row) = (self.name.to_owned(), self.first_row + index as u64);
        ReportError::Value { name, row, column, got: got.to_owned(), expected }
    }

    fn optional(&self, index: usize, column: &'static str) -> Result<Option<String>, ReportError> {
        let array = self.column(column, "text")?.as_string_opt::<i32>().ok_or_else(|| self.missing(column, "text"))?;
        Ok(array.is_valid(index).then(|| array.value(index).to_owned()))
    }

    fn text(&self, index: usize, column: &'static str) -> Result<String, ReportError> {
        self.optional(index, column)?.ok_or_else(|| self.invalid(index, column, "null", "text"))
    }

    fn optional_real(&self, index: usize, column: &'static str) -> Result<Option<f64>, ReportError> {
        let expected = "DOUBLE";
        let array = self.column(column, expected)?;
        let array = array.as_primitive_opt::<Float64Type>().ok_or_else(|| self.missing(column, expected))?;
        Ok(array.is_valid(index).then(|| array.value(index)))
    }

    fn real(&self, index: usize, column: &'static str) -> Result<f64, ReportError> {
        self.optional_real(index, column)?.ok_or_else(|| self.invalid(index, column, "null", "a number"))
    }

    fn number<T: TryFrom<i32>>(&self, index: usize, column: &'static str) -> Result<Option<T>, ReportError> {
        let array = self.column(column, "INT32")?;
        let array = array.as_primitive_opt::<Int32Type>().ok_or_else(|| self.missing(column, "INT32"))?;
        if array.is_null(index) {
            return Ok(None);
        }
        let value = array.value(index);
        let number = T::try_from(value);
        number.map(Some).map_err(|_| self.invalid(index, column, &value.to_string(), "a number within its range"))
    }

    fn time(&self, index: usize, column: &'static str) -> Result<i64, ReportError> {
        let expected = "TIMESTAMP(MILLIS, UTC)";
        let array = self.column(column, expected)?;
        let array =
            array.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(|| self.missing(column, expected))?;
        if array.is_null(index) {
            return Err(self.invalid(index, column, "null", "a time"));
        }
        Ok(array.value(index).div_euclid(1_000))
    }

    fn texts(&self, index: usize, column: &'static str) -> Result<Vec<String>, ReportError> {
        let expected = "list of texts";
        let missing = || self.missing(column, expected);
        let lists = self.column(column, expected)?.as_list_opt::<i32>().ok_or_else(missing)?;
        let items = lists.value(index);
        let items = items.as_string_opt::<i32>().ok_or_else(missing)?;
        Ok(items.iter().flatten().map(str::to_owned).collect())
    }

    fn parsed<T>(
        &self,
        index: usize,
        column: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ReportError> {
        match self.optional(index, column)? {
            Some(text) => parse(&text).map(Some).ok_or_else(|| self.invalid(index, column, &text, expected)),
            None => Ok(None),
        }
    }

    fn finding(&self, index: usize) -> Result<Finding, ReportError> {
        let null = |column: &'static str, expected: &'static str| self.invalid(index, column, "null", expected);
        let schema_version = self.number(index, "schema_version")?.unwrap_or(0);
        check_version(self.name, self.first_row + index as u64, schema_version)?;
        let severity = self.parsed(index, "severity", "a severity", |text| text.parse().ok())?;
        let evidence = self.parsed(index, "evidence", "a JSON object", |text| serde_json::from_str(text).ok())?;
        Ok(Finding {
            schema_version,
            id: self.text(index, "id")?,
            subject: self.text(index, "subject")?,
            incident_id: self.optional(index, "incident_id")?,
            detection: self.text(index, "detection")?,
            title: self.text(index, "title")?,
            severity: severity.ok_or_else(|| null("severity", "a severity"))?,
            score: self.real(index, "score")?,
            p_value: self.optional_real(index, "p_value")?,
            account_id: self.optional(index, "account_id")?,
            region: self.optional(index, "region")?,
            host: self.parsed(index, "host", "an address", |text| text.parse().ok())?,
            interface_id: self.optional(index, "interface_id")?,
            instance_id: self.optional(index, "instance_id")?,
            vpc_id: self.optional(index, "vpc_id")?,
            remote: self.parsed(index, "remote", "an address", |text| text.parse().ok())?,
            port: self.number(index, "port")?,
            protocol: self.number(index, "protocol")?,
            role: self.parsed(index, "role", "client or server", Role::parse)?,
            principal: self.optional(index, "principal")?,
            credential: self.optional(index, "credential")?,
            source: self.optional(index, "source")?,
            app: self.optional(index, "app")?,
            object: self.optional(index, "object")?,
            logs: self.texts(index, "logs")?,
            event_ids: self.texts(index, "event_ids")?,
            first_seen_s: self.time(index, "first_seen")?,
            last_seen_s: self.time(index, "last_seen")?,
            window_start_s: self.time(index, "window_start")?,
            window_end_s: self.time(index, "window_end")?,
            techniques: self.texts(index, "techniques")?,
            evidence: evidence.ok_or_else(|| null("evidence", "a JSON object"))?,
            explanation: self.text(index, "explanation")?,
            coverage: self.optional_real(index, "coverage")?,
            members: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::examples;
    use super::*;
    use bytes::Bytes;

    fn written(findings: &[Finding]) -> Bytes {
        let mut bytes = Vec::new();
        write_parquet(&mut bytes, findings, None).unwrap();
        bytes.into()
    }

    #[test]
    fn findings_come_back_as_they_were_and_bytes_are_the_same_every_time() {
        let findings = examples();
        assert_eq!(read_parquet(written(&findings), "f.parquet").unwrap(), findings);
        assert_eq!(written(&findings), written(&findings));
        assert_eq!(read_parquet(written(&[]), "f.parquet").unwrap(), []);
    }

    #[test]
    fn columns_are_those_of_the_json_objects() {
        let json = serde_json::to_value(&examples()[0]).unwrap();
        let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let schema = finding_schema();
        assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn other_files_are_refused_by_what_they_lack() {
        let error = read_parquet(Bytes::from_static(b"PAR1 not at all"), "f.parquet").unwrap_err();
        assert_eq!(error.to_string(), "could not read f.parquet as Parquet");

        let batch = RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let error = read_parquet(Bytes::from(bytes), "f.parquet").unwrap_err();
        assert_eq!(
            error.to_string(),
            "f.parquet: no column `schema_version` of type INT32; expected the columns of findings, schema version 2"
        );

        let mut damaged = examples();
        damaged[1].schema_version = 7;
        let error = read_parquet(written(&damaged), "f.parquet").unwrap_err();
        assert!(error.to_string().starts_with("f.parquet: finding 2 has schema version 7, expected 2"), "{error}");
    }
}
